#!/usr/bin/env bash
# Installs what is missing, builds, and then trains the tutorial's CNN (demo) or runs every test this machine can (test).
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'TEXT'
usage: ./bootstrap.sh demo|test

  demo   build the programs and train the tutorial's CNN
  test   build everything and run every test that this machine can run

environment:
  PERCALE_CUDA=off             leave CUDA out, even where a toolkit is found
  PERCALE_CUDA_ARCHITECTURES   what to compile for, such as "80;90" (demo: the GPU at hand; test: 90)
  PERCALE_DATA                 the folder of data sets (default: ../shared/data where that exists)
  CUDNN_ROOT                   the folder that holds include/cudnn.h
  JOBS                         how many processes to use (default: as the processors and the memory allow)
TEXT
}

say() { printf '\n== %s\n' "$*"; }
has() { command -v "$1" > /dev/null 2>&1; }
fail() { printf 'bootstrap.sh: %s\n' "$*" >&2; exit 1; }

packages_to_build=(g++ cmake ninja-build pkg-config ca-certificates libdnnl-dev ocl-icd-opencl-dev libhwy-dev libfmt-dev
  nlohmann-json3-dev zlib1g-dev libcurl4-openssl-dev libcairo2-dev libutf8proc-dev libcli11-dev libbenchmark-dev)
packages_to_test=(libgtest-dev libboost-context-dev clang-16 libomp-16-dev libclang-rt-16-dev)

# Asks apt for what is missing, or says what to install where it may not.
install_packages() {
  has dpkg-query || { echo "this is not Debian: install the equivalents of ${*}"; return 0; }
  local missing=() package
  for package; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    has sudo || fail "please install, as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq || echo "apt-get update failed; trying with what apt knows"
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
    fail "apt could not install them; please run: apt-get install ${missing[*]}"
}

find_nvcc() {
  local place
  for place in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" /usr/local/cuda/bin/nvcc; do
    if [ -n "$place" ] && [ -x "$place" ]; then echo "$place"; return; fi
  done
}

# Names GPU, driver, toolkit and cuDNN, and what would mend the lack of any; sets gpu, nvcc and cudnn.
look_around() {
  gpu= nvcc= cudnn=
  if [ "${PERCALE_CUDA:-}" = off ]; then echo "CUDA: left out, as PERCALE_CUDA=off asks"; return; fi
  if has nvidia-smi && gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2> /dev/null | head -1) && [ -n "$gpu" ]; then
    echo "GPU and driver: $gpu"
  else
    gpu=
    echo "GPU: none found (nvidia-smi lists none; with a GPU: apt-get install nvidia-driver)"
  fi
  nvcc=$(find_nvcc)
  if [ -z "$nvcc" ]; then
    echo "CUDA toolkit: none found (install cuda-toolkit-13-0 from https://developer.nvidia.com/cuda-downloads)"
    return
  fi
  echo "CUDA toolkit: $("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p') ($nvcc)"
  local header=build/cudnn.txt
  mkdir -p build
  cmake -D CMAKE_MODULE_PATH="$PWD/cmake" -P cmake/print_cudnn.cmake > $header 2>&1 || true
  cudnn=$(sed -n 's/.*cuDNN //p' $header)
  if [ -n "$cudnn" ]; then
    echo "cuDNN: $cudnn"
  else
    echo "cuDNN: no cudnn.h found (apt-get install cudnn9-cuda-13 from NVIDIA's repository, or pip install nvidia-cudnn-cu13," \
         "or set CUDNN_ROOT)"
  fi
}

# A compiler process may take 1.5 GB.
count_jobs() {
  local memory_jobs
  memory_jobs=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2> /dev/null || echo 2)
  jobs=${JOBS:-$(nproc)}
  [ -n "${JOBS:-}" ] || [ "$memory_jobs" -ge "$jobs" ] || jobs=$memory_jobs
  [ "$jobs" -ge 1 ] || jobs=1
}

# configure PRESET FOLDER OPTIONS...: with the compiler cache where there is one.
configure() {
  local preset=$1 folder=$2 launcher=()
  shift 2
  if has ccache; then
    launcher=(-D CMAKE_CXX_COMPILER_LAUNCHER=ccache -D CMAKE_CUDA_COMPILER_LAUNCHER=ccache)
    export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  fi
  mkdir -p build/log
  cmake --preset "$preset" -B "$folder" "${launcher[@]}" "$@" > "build/log/$preset.configure" 2>&1 ||
    { tail -30 "build/log/$preset.configure"; fail "$preset could not be configured (build/log/$preset.configure)"; }
  grep -h 'Percale:' -A 3 "build/log/$preset.configure" || true
}

# build FOLDER TARGETS...: quiet where all goes well; the compiler's own words where it does not.
build() {
  local folder=$1 log=build/log/$(basename "$1").build from=$SECONDS
  shift
  cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} > "$log" 2>&1 ||
    { grep -E -A 12 'FAILED|error' "$log" | head -80; fail "$folder does not build ($log)"; }
  echo "built $folder in $((SECONDS - from)) s"
}

demo() {
  install_packages "${packages_to_build[@]}"
  say "This machine"
  look_around
  count_jobs
  local options=(-D PERCALE_BUILD_TESTS=OFF -D PERCALE_GPU=off) architectures=
  if [ -n "$gpu" ] && [ -n "$nvcc" ] && [ -n "$cudnn" ]; then
    architectures=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | sort -u | tr -d . | paste -sd ';')
    options=(-D PERCALE_BUILD_TESTS=OFF -D PERCALE_GPU=cuda -D PERCALE_CUDA_ARCHITECTURES="${PERCALE_CUDA_ARCHITECTURES:-$architectures}")
  else
    echo "building for the CPU"
  fi
  say "Building the programs (with $jobs processes)"
  configure release build/demo "${options[@]}"
  build build/demo mnist_cnn quickstart
  say "Training the tutorial's CNN"
  build/demo/apps/mnist_cnn --epochs "${EPOCHS:-2}"
  cat <<'TEXT'

Three commands to try:
  build/demo/apps/quickstart
  build/demo/apps/mnist_cnn --epochs 5 --save mnist.safetensors --picture mnist.png
  build/demo/apps/mnist_cnn --data generated --epochs 1 --trace trace.json      (open it in https://ui.perfetto.dev)
TEXT
}

# The builds that are tested, each with the tests of the folders that its preset names. Adds to tested.
build_release() {
  local architectures=${PERCALE_CUDA_ARCHITECTURES:-90}
  if [ -n "$nvcc" ] && [ -n "$cudnn" ]; then
    say "Release build, with CUDA for $architectures and a test run on $([ -n "$gpu" ] && echo both devices || echo the CPU)"
    configure release build/release -D PERCALE_GPU=cuda -D PERCALE_CUDA_ARCHITECTURES="$architectures"
  else
    say "Release build, for the CPU"
    configure release build/release -D PERCALE_GPU=off -D PERCALE_CUDA_ARCHITECTURES="$architectures" \
      -D PERCALE_CHECK_DEVICE_CODE="$([ -n "$nvcc" ] && echo ON || echo OFF)"
  fi
  build build/release
  tested+=(release)
  if [ -n "$nvcc" ] && [ -z "$cudnn" ]; then
    build build/release percale_device_code
    echo "nvcc takes every kernel (for $architectures); cuDNN's glue is not compiled without cudnn.h"
  elif [ -z "$nvcc" ]; then
    not_run+=("device code was not compiled by nvcc: no CUDA toolkit")
  fi
}

build_sanitized() {
  if ! has clang++-16; then
    not_run+=("the sanitizer builds: clang++-16 is not installed")
    return
  fi
  say "The emulator under AddressSanitizer and UndefinedBehaviorSanitizer, and the readers' fuzz corpora"
  configure asan build/asan
  build build/asan
  tested+=(asan)
  say "The emulator under ThreadSanitizer"
  configure tsan build/tsan
  build build/tsan
  tested+=(tsan)
}

# Lists the tests that were skipped, by the reason that they gave.
print_skips() {
  local log=$1
  awk '
    /^[0-9]+\/[0-9]+ Testing: / { test = $0; sub(/^[^:]*: /, "", test) }
    waiting { reason = $0; if (reason == "") reason = "no reason given"; count[reason]++; if (count[reason] == 1) first[reason] = test; waiting = 0 }
    /: Skipped$/ { waiting = 1 }
    END { for (reason in count) printf "  %d x %s (%s%s)\n", count[reason], reason, first[reason], (count[reason] > 1 ? ", ..." : "") }
  ' "$log" | sort -rn
  [ ${#not_run[@]} -eq 0 ] || printf '  %s\n' "${not_run[@]}"
}

run_tests() {
  install_packages "${packages_to_build[@]}" "${packages_to_test[@]}"
  say "This machine"
  look_around
  count_jobs
  if [ -z "${PERCALE_DATA:-}" ] && [ -d ../shared/data ]; then PERCALE_DATA=$(cd ../shared/data && pwd); export PERCALE_DATA; fi
  tested=() not_run=()
  build_release
  build_sanitized

  # One CTest run over all of the builds, so that one line at its end tells of all of them.
  say "Tests of: ${tested[*]}"
  mkdir -p build/all
  printf 'subdirs("%s")\n' "${tested[@]/#/$PWD/build/}" > build/all/CTestTestfile.cmake
  local as_is=() status=0
  # ThreadSanitizer's shadow does not fit where newer kernels scatter the address space.
  setarch "$(uname -m)" -R true 2> /dev/null && as_is=(setarch "$(uname -m)" -R)
  "${as_is[@]}" ctest --test-dir build/all -j "$jobs" --output-on-failure --no-label-summary --quiet \
    --output-log build/log/ctest.txt || status=$?
  awk '/\*\*\*(Failed|Timeout|Exception|Not Run)/ { show = 40 } /^ +Start +[0-9]+:/ { show = 0 } show-- > 0' build/log/ctest.txt | head -400
  say "Skipped, and why"
  print_skips build/all/Testing/Temporary/LastTest.log
  say "All of it took $((SECONDS / 60)) min $((SECONDS % 60)) s; the tests' own words are in build/log/ctest.txt"
  grep -E 'tests passed' build/log/ctest.txt || echo "CTest came to no end (build/log/ctest.txt)"
  return $status
}

case "${1:-}" in
  demo) demo ;;
  test) run_tests ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
