#!/usr/bin/env python3
"""Breaks the CUDA kernels one place at a time, and counts the breakages that no test notices.

    python3 tests/emulator/mutants.py                         # every family: hours
    python3 tests/emulator/mutants.py linear reduction        # these families
    python3 tests/emulator/mutants.py --sample 40 --seed 1    # forty of all, drawn at random
    python3 tests/emulator/mutants.py --no-tsan               # AddressSanitizer only: half the building
    python3 tests/emulator/mutants.py --list                  # only say what would be broken

A mutant is a copy of the tree in which one barrier, warp synchronisation or wait for a copy is gone, one atomic is a plain
read and write, or one bound of device code is off by one. Its family's specs then run on the emulator under
AddressSanitizer and, if they notice nothing and order or atomicity is at stake, under ThreadSanitizer. Survivors are
looked up in mutants_survivors.txt, which gives the reasons of those that change nothing; exits 1 if fewer than 95 of 100
of the others are caught. A mutant costs the compilation of its one file, a link and the family's tests. Needs clang-16, like the presets asan and tsan.
"""
import argparse
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutants"
SURVIVORS = ROOT / "tests" / "emulator" / "mutants_survivors.txt"
PLAIN_ATOMICS = """
namespace plain {
template <class T, class V> inline T add(T* a, V v) { const T old = *a; *a = static_cast<T>(old + v); return old; }
template <class T, class V> inline T largest(T* a, V v) { const T old = *a; if (old < static_cast<T>(v)) *a = static_cast<T>(v); return old; }
template <class T, class V> inline T smallest(T* a, V v) { const T old = *a; if (static_cast<T>(v) < old) *a = static_cast<T>(v); return old; }
template <class T, class V> inline T exchange(T* a, V v) { const T old = *a; *a = static_cast<T>(v); return old; }
template <class T, class V, class W> inline T compare(T* a, V e, W v) { const T old = *a; if (old == static_cast<T>(e)) *a = static_cast<T>(v); return old; }
template <class T, class V> inline T unite(T* a, V v) { const T old = *a; *a = static_cast<T>(old | v); return old; }
template <class T, class V> inline T wrap(T* a, V v) { const T old = *a; *a = old >= v ? T(0) : old + 1; return old; }
}  // namespace plain
"""
ATOMICS = {"atomicAdd": "add", "atomicMax": "largest", "atomicMin": "smallest", "atomicExch": "exchange",
           "atomicCAS": "compare", "atomicOr": "unite", "atomicInc": "wrap"}
BOUNDS = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > "}


def device_lines(text):
    """Numbers of the lines that stand inside a __global__ or __device__ function."""
    inside, depth, result = False, 0, []
    for number, line in enumerate(text.splitlines()):
        code = line.split("//")[0]
        if not inside and re.search(r"__(global|device)__", code) and not code.rstrip().endswith(";"):
            inside, depth, opened = True, 0, False
        if inside:
            depth += code.count("{") - code.count("}")
            opened = opened or "{" in code
            result.append(number)
            if opened and depth <= 0:
                inside = False
    return result


def mutants_of(path):
    """(kind, line number, new text of the line, whether plain atomics must be declared) of each mutant."""
    text = path.read_text()
    lines = text.splitlines()
    for number in device_lines(text):
        line, code = lines[number], lines[number].split("//")[0]
        for match in re.finditer(r"\b(__syncthreads|__syncwarp|async_wait<[^>]*>)\([^)]*\);", code):
            yield "barrier", number, line[:match.start()] + ";" + line[match.end():], False
        for name, plain in ATOMICS.items():
            for match in re.finditer(r"\b" + name + r"\(", code):
                yield "atomic", number, line[:match.start()] + f"::plain::{plain}(" + line[match.end():], True
        if "constexpr" in code:
            continue
        for old, new in BOUNDS.items():
            for match in re.finditer(re.escape(old), code):
                yield "bound", number, line[:match.start()] + new + line[match.end():], False
        for match in re.finditer(r"\bgrid_stride\(([^()]*(?:\([^()]*\))?[^()]*)\)", code):
            if "inline" not in code:
                yield "bound", number, line[:match.start(1)] + match.group(1) + " + 1" + line[match.end(1):], False


def run(command, seconds):
    """Exit status and output; a time-out is a failure."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, text=True, errors="replace")
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return 124, "timed out"


def copy_tree(presets):
    tree = WORK / "source"
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for name in names:
        target = tree / name
        new = (ROOT / name).read_bytes()
        if not target.exists() or target.read_bytes() != new:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(new)
    for preset in presets:
        subprocess.run(["cmake", "--preset", preset, "-B", WORK / preset, "-D", "PERCALE_TEST_FOLDERS=kernels"], cwd=tree,
                       stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["ninja", "-C", WORK / preset, "-j1", "test_kernels"], stdout=subprocess.DEVNULL, check=True)
    return tree


def survives(preset, family):
    """None if the mutant does not compile; else whether the family's specs pass."""
    status, output = run(["ninja", "-C", str(WORK / preset), "test_kernels"], 900)
    if status:
        return None
    environment = {"asan": ["env", "ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0"],
                   "tsan": ["setarch", "-R", "env", "TSAN_OPTIONS=ignore_noninstrumented_modules=1 halt_on_error=1"]}[preset]
    words = "".join(part.capitalize() for part in family.split("_"))
    wanted = f"*OnCuda*/{family}_*:*Cuda*{words}*:*{words}*Cuda*"
    status, output = run(environment + [str(WORK / preset / "tests" / "test_kernels"), f"--gtest_filter={wanted}"], 600)
    if status == 0 and not re.search(r"PASSED\s*\] [1-9]", output):
        sys.exit(f"no test of {family} runs under {preset} ({wanted})")
    return status == 0


def known_survivors():
    """{(file, line's text): reason}"""
    result = {}
    for line in SURVIVORS.read_text().splitlines() if SURVIVORS.exists() else []:
        if line and not line.startswith("#"):
            name, text, reason = (part.strip() for part in line.split("|"))
            result[name, text] = reason
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--sample", type=int, metavar="N", help="as many, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing")
    parser.add_argument("--no-tsan", action="store_true", help="AddressSanitizer only")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    families = arguments.families or sorted(p.parent.name for p in ROOT.glob("kernels/*/*_cuda.cu"))
    todo = [(family, path.relative_to(ROOT)) + mutant for family in families
            for path in sorted((ROOT / "kernels" / family).glob("*_cuda.cu"))
            for mutant in mutants_of(path)]
    of_all = len(todo)
    if arguments.sample and arguments.sample < of_all:
        todo = sorted(random.Random(arguments.seed).sample(todo, arguments.sample), key=lambda mutant: mutant[1])
    if arguments.list:
        for family, path, kind, number, line, _ in todo:
            print(f"{path}:{number + 1} {kind}: {line.strip()}")
        return print(len(todo), "mutants of", of_all)
    tree, reasons = copy_tree(["asan"] if arguments.no_tsan else ["asan", "tsan"]), known_survivors()
    caught, excused, escaped = 0, [], []
    for family, path, kind, number, line, atomics in todo:
        original = (tree / path).read_text()
        lines = original.splitlines()
        key = (str(path), lines[number].strip())
        lines[number] = line
        (tree / path).write_text((PLAIN_ATOMICS if atomics else "") + "\n".join(lines) + "\n")
        alive = survives("asan", family)
        if alive and kind != "bound" and not arguments.no_tsan:
            alive = survives("tsan", family)
        (tree / path).write_text(original)
        verdict = "does not compile" if alive is None else "SURVIVES" if alive else "caught"
        print(f"{path}:{number + 1} {kind}: {line.strip()}: {verdict}", flush=True)
        if alive is False:
            caught += 1
        elif alive:
            (excused if key in reasons else escaped).append(f"{path}:{number + 1}: {line.strip()}" + (f" ({reasons[key]})" if key in reasons else ""))
    print(f"\n{caught} caught, {len(escaped)} escaped, {len(excused)} change nothing, of {len(todo)} run and {of_all} in all")
    for survivor in escaped + excused:
        print("  " + survivor)
    return int(caught < 0.95 * (caught + len(escaped)))


if __name__ == "__main__":
    sys.exit(main())
