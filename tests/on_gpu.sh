#!/usr/bin/env bash
# Everything that needs a GPU, in one run of under nine minutes: tests on the device, compute-sanitizer, timings beside
# PyTorch's best. Prints one table at its end; exits 1 if a row of it failed.
#   tests/on_gpu.sh [OUTPUT_FOLDER]          PEERS: a folder with torch_gpu.py, beside tests/peers; PYTHON: one with PyTorch
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/on_gpu}
mkdir -p "$out"
deadline=$((SECONDS + 530))
folder=build/gpu
rows=()
failures=0

command -v nvidia-smi > /dev/null && nvidia-smi --query-gpu=name --format=csv,noheader > "$out/gpu.txt" 2> /dev/null ||
  { echo "on_gpu.sh: nvidia-smi lists no GPU here"; exit 1; }
export PATH=$PATH:/usr/local/cuda/bin

# step NAME SECONDS_AT_MOST COMMAND...: one row of the table; its words go to a file of its own.
step() {
  local name=$1 limit=$2 from=$SECONDS status=0 left result
  shift 2
  left=$((deadline - SECONDS))
  [ "$left" -lt "$limit" ] && limit=$left
  if [ "$limit" -le 5 ]; then
    rows+=("$name|not run: no time left|0"); failures=$((failures + 1)); return 1
  fi
  timeout "$limit" "$@" > "$out/$name.txt" 2>&1 || status=$?
  case $status in
    0) result="passed" ;;
    124) result="cut off after $limit s"; failures=$((failures + 1)) ;;
    *) result="FAILED ($status), see $out/$name.txt"; failures=$((failures + 1)) ;;
  esac
  local closing
  closing=$(grep -hE 'tests passed|ERROR SUMMARY|RACECHECK SUMMARY' "$out/$name.txt" | sort | uniq -c | sed 's/^ *//' | paste -sd ';')
  rows+=("$name|$result${closing:+ ($closing)}|$((SECONDS - from))")
  return $status
}

not_run() { rows+=("$1|not run: $2|0"); }

print_table() {
  printf '\n%-24s %-90s %8s\n' step result seconds
  local row
  for row in "${rows[@]}"; do printf '%-24s %-90s %8s\n' "$(cut -d'|' -f1 <<< "$row")" "$(cut -d'|' -f2 <<< "$row")" "$(cut -d'|' -f3 <<< "$row")"; done
  if [ -s "$out/percale.json" ]; then
    printf '\nmicroseconds a call, Percale beside PyTorch (each case at its best variant)\n'
    print_timings "$out/percale.json" "$out/torch.json"
  fi
}

# Joins two files of JSON lines by the case's name; a peer's variants stand under the longer names.
print_timings() {
  "${PYTHON:-python3}" - "$@" << 'PYTHON'
import json, os, sys

def read(path):
    lines = open(path) if os.path.exists(path) else []
    found = [json.loads(line) for line in lines if line.startswith("{")]
    peers_precisions = lambda case: case.replace(".float32", ".fp32").replace(".bfloat16", ".bf16")
    return {peers_precisions(row["case"]): row["us"] if "us" in row else row["ms"] * 1000 for row in found if "us" in row or "ms" in row}

ours, theirs = read(sys.argv[1]), read(sys.argv[2])
print(f"{'case':44} {'percale':>10} {'torch':>10} {'times':>7}")
for case, time in ours.items():
    peers = [t for name, t in theirs.items() if name == case or name.startswith(case + ".")]
    best = min(peers) if peers else None
    print(f"{case:44} {time:10.2f} " + (f"{best:10.2f} {best / time:7.2f}" if best else f"{'-':>10} {'-':>7}"))
PYTHON
}

architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
build() {
  cmake --preset cuda -B $folder -D PERCALE_CUDA_ARCHITECTURES="$architecture" -D "PERCALE_TEST_FOLDERS=core;nn;kernels;goldens;apps" &&
    cmake --build $folder -j "$(nproc)"
}
export -f build
export folder architecture

if step build 300 bash -c build; then
  step tests 150 ctest --test-dir $folder -L cuda -j 4 --no-tests=error --output-on-failure
  specs=$folder/tests/test_kernels
  for tool in memcheck racecheck; do
    if command -v compute-sanitizer > /dev/null; then
      step $tool 90 compute-sanitizer --tool $tool --error-exitcode 9 $specs --gtest_filter='*Cuda*:*cuda*:*CUDA*'
    else
      not_run $tool "compute-sanitizer is not on PATH (it comes with the CUDA toolkit)"
    fi
  done
  # Some 100 cases, of 50 calls or 0.2 s each.
  step timings 130 bash -c "$folder/apps/percale_bench --device cuda --seconds 0.2 --json > $out/percale.json"
  if ! "${PYTHON:-python3}" -c 'import torch' 2> /dev/null; then
    not_run pytorch "${PYTHON:-python3} has no torch; set PYTHON"
  else
    step pytorch_tables 60 bash -c "${PYTHON:-python3} tests/peers/embedding.py --device cuda --seconds 0.5 > $out/torch.json"
    if [ -f "${PEERS:-}/torch_gpu.py" ]; then
      step pytorch_models 150 bash -c "${PYTHON:-python3} $PEERS/torch_gpu.py cnn autoencoder adam linear_relu one_hot embedding_gradient gather bert_base --calls 50 >> $out/torch.json"
    else
      not_run pytorch_models "no torch_gpu.py in PEERS, '${PEERS:-}'"
    fi
  fi
fi
cat "$out/gpu.txt"
print_table
exit $((failures > 0))
