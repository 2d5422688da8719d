#!/usr/bin/env bash
# Everything that needs a GPU, in one run of under nine minutes: tests on the device, compute-sanitizer, timings beside
# PyTorch's best. Prints a line as each step ends and one table at the end; exits 1 if a step failed.
#   tests/on_gpu.sh [OUTPUT_FOLDER]                    builds here, for this GPU, then runs
#   tests/on_gpu.sh pack FILE.tar.gz                   builds for ARCHITECTURES (90) where there need be no GPU, and packs
#                                                      the programs with all libraries that they need but glibc's
#   PACK=FILE.tar.gz tests/on_gpu.sh [OUTPUT_FOLDER]   runs what was packed; cuDNN 9 and cuBLASLt come from the toolkit,
#                                                      the system or PyTorch's wheels
# PEERS: a folder with torch_gpu.py, beside tests/peers; PYTHON: one with PyTorch; SECONDS_AT_MOST: for all of it (530)
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/cuda/bin
python=${PYTHON:-python3} PACK=${PACK:-}
folder=$PWD/build/gpu
programs=(tests/test_core tests/test_kernels tests/test_nn tests/test_goldens apps/percale_bench)

build() {  # ARCHITECTURES
  cmake --preset cuda -B "$folder" -D PERCALE_CUDA_ARCHITECTURES="$1" -D "PERCALE_TEST_FOLDERS=core;nn;kernels;goldens" &&
    cmake --build "$folder" -j "${JOBS:-$(nproc)}" --target "${programs[@]##*/}"
}

# The programs, stripped, their libraries, and where the sources stood: some tests read files beside them.
pack() {  # FILE
  local room program
  room=$(mktemp -d) && mkdir "$room/lib" "$room/tests" "$room/apps" || return 1
  for program in "${programs[@]}"; do strip -o "$room/$program" "$folder/$program" || return 1; done
  (cd "$folder" && ldd "${programs[@]}") | awk '/=> \// {print $3}' | sort -u |
    grep -vE '/lib(c|m|dl|pthread|rt|resolv)[-.][^/]*$' | xargs -I{} cp -L {} "$room/lib/" || return 1
  pwd > "$room/sources"
  tar -C "$room" -czf "$1" . && rm -rf "$room" && ls -sh "$1"
}

unpack() {
  local sources
  rm -rf "$folder" && mkdir -p "$folder" && tar -C "$folder" -xzf "$PACK" || return 1
  sources=$(cat "$folder/sources")
  [ -e "$sources" ] || { mkdir -p "$(dirname "$sources")" && ln -s "$PWD" "$sources"; }
}

if [ "${1:-}" = pack ]; then
  [ $# = 2 ] || { echo "on_gpu.sh: pack takes the file to write, such as build/gpu.tar.gz"; exit 1; }
  build "${ARCHITECTURES:-90}" && pack "$2"
  exit
fi

gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2> /dev/null | head -1)
[ -n "$gpu" ] || { echo "on_gpu.sh: nvidia-smi lists no GPU here"; exit 1; }
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
out=${1:-build/on_gpu}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
deadline=$((SECONDS + ${SECONDS_AT_MOST:-530}))
rows=()
failures=0
echo "$gpu" | tee "$out/gpu.txt"

row() {  # NAME RESULT SECONDS
  rows+=("$1|$2|$3")
  printf '%-16s %s, %s s\n' "$1" "$2" "$3"
}

# What GoogleTest and compute-sanitizer say in a step's output.
counts_in() {  # FILE
  local passed failed skipped
  passed=$(grep -c '\[       OK \]' "$1")
  failed=$(grep -c '\[  FAILED  \].* ms)$' "$1")
  skipped=$(grep -c '\[  SKIPPED \].* ms)$' "$1")
  [ $((passed + failed + skipped)) = 0 ] || printf ': %s passed, %s failed, %s skipped' "$passed" "$failed" "$skipped"
  grep -hoE '(ERROR|RACECHECK) SUMMARY: [0-9]+ (errors?|hazards?)' "$1" | sort | uniq -c | awk '{n = $1; sub(/^ *[0-9]+ /, ""); printf "; %d x %s", n, $0}'
}

# step NAME SECONDS_AT_MOST COMMAND...: its words go to a file of its own. A step that is cut off has failed, but not one of
# compute-sanitizer that found nothing so far.
step() {
  local name=$1 limit=$2 from=$SECONDS status=0 left=$((deadline - SECONDS)) result counts file
  shift 2
  file=$out/$name.txt
  [ "$left" -lt "$limit" ] && limit=$left
  if [ "$limit" -le 5 ]; then
    failures=$((failures + 1))
    row "$name" "NOT RUN: no time left" 0
    return 1
  fi
  timeout -k 5 "$limit" "$@" > "$file" 2>&1 || status=$?
  counts=$(counts_in "$file")
  result=passed
  if [[ $status = 0 && $counts == ": 0 passed"* ]]; then
    result="FAILED: no test ran on the device, see $file" status=1
  elif [[ $status = 124 || $status = 137 ]]; then
    result="cut off after $limit s"
    case $name in memcheck | racecheck) grep -qE '\[  FAILED  \]|^=+ +(Invalid|Error|Race|Warning|Potential)' "$file" || status=0 ;; esac
  elif [ $status != 0 ]; then
    result="FAILED ($status), see $file"
  fi
  [ $status = 0 ] || failures=$((failures + 1))
  row "$name" "$result$counts" $((SECONDS - from))
  return $status
}

not_run() { row "$1" "not run: $2" 0; }

# What our programs find their libraries by: the packed ones, then the system's, the toolkit's, PyTorch's wheels'.
find_libraries() {
  local place
  libraries=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  for place in /usr/local/cuda/lib64 $("$python" -c 'import glob, sysconfig
print(*glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib"))' 2> /dev/null); do
    [ -d "$place" ] && libraries+=:$place
  done
}

percale() { LD_LIBRARY_PATH=$libraries "$@"; }

# tests PROCESSES FOLDER [TOOL...]: the device's tests of a folder, spread over processes; fails if one does.
tests() {
  local count=$1 program=$folder/tests/test_$2 i status=0 running=()
  shift 2
  for ((i = 0; i < count; ++i)); do
    GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$i percale "$@" "$program" --gtest_filter='*Cuda*:*cuda*:*CUDA*' &
    running+=($!)
  done
  for i in "${running[@]}"; do wait "$i" || status=$?; done
  return $status
}

sanitizer() {  # TOOL: our own kernels under it, without finite differences
  PERCALE_SHORT_SPECS=1 tests 8 kernels compute-sanitizer --tool "$1" --kernel-name kns=percale --report-api-errors no --error-exitcode 9
}

# Without the one library products fail, without the other convolutions; the rest can still be tried.
look() { percale "$folder/apps/percale_bench" --info | tee /dev/stderr | { ! grep -E '^(GPU: +(none|not used)|cuDNN: +not found|cuBLASLt: +not found)'; }; }

# Joins two files of JSON lines by the case's name; a peer's variants stand under the longer names.
print_timings() {
  "$python" - "$@" << 'PYTHON'
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

print_table() {
  local name result seconds
  printf '\n%s\n%-16s %8s  %s\n' "$gpu" step seconds result
  for row in "${rows[@]}"; do
    IFS='|' read -r name result seconds <<< "$row"
    printf '%-16s %8s  %s\n' "$name" "$seconds" "$result"
  done
  if [ -s "$out/percale.json" ]; then
    printf '\nmicroseconds a call, Percale beside PyTorch (each case at its best variant)\n'
    print_timings "$out/percale.json" "$out/torch.json"
  fi
}

find_libraries
export folder libraries PACK
export -f build unpack percale tests sanitizer look

if [ -n "$PACK" ]; then
  step unpack 60 bash -c unpack
else
  step build 300 bash -c "programs=(${programs[*]}); build $architecture"
fi && { step look 30 bash -c look; ! grep -qE '^GPU: +(none|not used)' "$out/look.txt"; } && {
  # What must be right comes first, the short before the long.
  step tests_core 30 bash -c 'tests 1 core'
  step tests_kernels 150 bash -c 'tests 6 kernels'
  step tests_nn 60 bash -c 'tests 2 nn'
  step tests_goldens 60 bash -c 'tests 1 goldens'
  # Some 100 cases, of 50 calls or 0.2 s each.
  step timings 130 bash -c "percale $folder/apps/percale_bench --device cuda --seconds 0.2 --json > $out/percale.json"
  for tool in memcheck racecheck; do
    if command -v compute-sanitizer > /dev/null; then
      step $tool 60 bash -c "sanitizer $tool"
    else
      not_run $tool "compute-sanitizer is not on PATH (it comes with the CUDA toolkit)"
    fi
  done
  if ! "$python" -c 'import torch' 2> /dev/null; then
    not_run pytorch "$python has no torch; set PYTHON"
  else
    step pytorch_tables 60 bash -c "$python tests/peers/embedding.py --device cuda --seconds 0.5 > $out/torch.json"
    if [ -f "${PEERS:-}/torch_gpu.py" ]; then
      step pytorch_models 150 bash -c "$python $PEERS/torch_gpu.py cnn autoencoder adam linear_relu one_hot embedding_gradient gather bert_base --calls 50 >> $out/torch.json"
    else
      not_run pytorch_models "no torch_gpu.py in PEERS, '${PEERS:-}'"
    fi
  fi
}
print_table
exit $((failures > 0))
