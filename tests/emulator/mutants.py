#!/usr/bin/env python3
"""Breaks the CUDA kernels one place at a time, and counts the breakages that no test notices.

    python3 tests/emulator/mutants.py                         # all of them
    python3 tests/emulator/mutants.py linear reduction        # of these families
    python3 tests/emulator/mutants.py --list                  # only say what would be broken

A mutant is one barrier, warp synchronisation or wait for a copy gone, one atomic turned into a plain read and write, or
one bound of device code off by one. All of them are compiled at once into a copy of the tree, each behind a number
(mutant.h), and PERCALE_MUTANT says which one is active in a run: so there is one build for AddressSanitizer and one for
ThreadSanitizer. The specs of the mutant's family run under the first and, if they notice nothing, under the second (a
write past a row of shared memory is another thread's race). Comparisons that choose between their own sides, as in
`a < b ? a : b`, are left alone: with equal sides either will do (but for the sign of zero). Survivors are looked up in
mutants_survivors.txt, which gives the reasons of those that change nothing; exits 1 if fewer than 95 of 100 of the
others are caught. Needs clang-16, like the presets asan and tsan.
"""
import argparse
import concurrent.futures
import functools
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutants"
TREE = WORK / "source"
SURVIVORS = ROOT / "tests" / "emulator" / "mutants_survivors.txt"
ATOMICS = "atomicAdd|atomicMax|atomicMin|atomicExch|atomicCAS|atomicOr|atomicInc"
WORDS = {"<": "Less", "<=": "LessEqual", ">": "Greater", ">=": "GreaterEqual"}
# These differ between CUDA and the emulator; the rest of kernels/common is the same code on both.
LEFT_ALONE = {"device.h", "device_native.h", "device_emulated.h", "launch.h"}
# device.h gives its parts to every kernel: families that make use of warps, blocks, vectors, errors and comparisons.
USERS_OF_DEVICE = ("cross_entropy", "embedding", "layer_norm", "nearest_neighbours", "reduction", "top_k")
ENVIRONMENT = {"asan": ["env", "ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0"],
               "tsan": ["setarch", "-R", "env", "TSAN_OPTIONS=ignore_noninstrumented_modules=1 halt_on_error=1"]}


class Mutant:
    def __init__(self, number, path, line, kind, before, after):
        self.number, self.path, self.line, self.kind, self.before, self.after = number, path, line, kind, before, after

    def __str__(self):
        return f"{self.path}:{self.line + 1} {self.kind}: {self.before.strip()}  ->  {self.after}"


def device_lines(text):
    """Numbers of the lines that stand inside a __global__ or __device__ function."""
    inside, depth, opened, result = False, 0, False, []
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


def picks_an_equal(code, begin, end):
    """Whether the comparison at `begin` chooses between its own sides, as in `a < b ? a : b`: equal, either will do."""
    side = r"((?:\(\)|<\w+>|[\w.+*\[\] -])+)"
    left = re.search(rf"(?:[(=?:,&] ?|return ){side}$", code[:begin])
    rest = re.match(rf"{side} \? {side} : {side}[;,)]", code[end:])
    return bool(left and rest) and sorted((left.group(1), rest.group(1))) == sorted(rest.group(2, 3))


def breakages(code):
    """(kind, begin, end, text with the mutant's number left open, what it becomes) of each place of a line."""
    for match in re.finditer(r"\b(?:__syncthreads|__syncwarp|async_wait<[^>]*>)\([^)]*\)(?=;)", code):
        yield "barrier", match.start(), match.end(), "(::mutant::is<{0}>() ? (void)0 : " + match.group() + ")", "nothing"
    for match in re.finditer(rf"\b({ATOMICS})\(", code):
        yield "atomic", match.start(), match.end(), f"::mutant::{match.group(1)}<{{0}}>(", "plain " + match.group(1)
    if "constexpr" in code or "static_assert" in code:
        return
    for match in re.finditer(r" (<=?|>=?) ", code):
        if picks_an_equal(code, match.start(), match.end()):
            continue
        sign = match.group(1)
        other = sign[0] if len(sign) == 2 else sign + "="
        left, right = re.search(r"[^ (]*$", code[:match.start()]).group(), re.match(r"[^ ,;)]*", code[match.end():]).group()
        infix = f" {sign} ::mutant::{WORDS[sign]}<{{0}}>{{{{}}}} {sign} "
        yield "bound", match.start(), match.end(), infix, f"{left} {other} {right}"
    if "inline" not in code:
        for match in re.finditer(r"\bgrid_stride\(([^()]*(?:\([^()]*\))?[^()]*)\)", code):
            extent = "(" + match.group(1) + ") + ::mutant::excess<{0}>()"
            yield "bound", match.start(1), match.end(1), extent, match.group(1) + " + 1"


def mutate(paths):
    """Rewrites the copies of `paths`; returns the mutants, numbered from 1001 in the first file, from 2001 in the second."""
    mutants = []
    for file, path in enumerate(paths, 1):
        first = len(mutants)
        lines = (ROOT / path).read_text().splitlines()
        for number in device_lines("\n".join(lines)):
            before, code = lines[number], lines[number].split("//")[0]
            for kind, begin, end, text, after in sorted(breakages(code), key=lambda place: -place[1]):
                mutants.append(Mutant(1000 * file + len(mutants) - first + 1, path, number, kind, before, after))
                lines[number] = lines[number][:begin] + text.format(mutants[-1].number) + lines[number][end:]
        last = max(number for number, line in enumerate(lines) if line.startswith(("#include", "#pragma once")))
        lines[last] += f'\n#include "{ROOT}/tests/emulator/mutant.h"\n#line {last + 2}'
        put(path, ("\n".join(lines) + "\n").encode())
    return mutants


def put(path, content):
    """Writes a file of the copy, unless it is there already: then nothing need be compiled again."""
    target = TREE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_bytes() != content:
        target.write_bytes(content)


def copy_tree(paths):
    """Copies the tree but for `paths`, which `mutate` writes."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for name in set(map(pathlib.Path, names)) - set(paths):
        put(name, (ROOT / name).read_bytes())


def build(jobs):
    for preset in ENVIRONMENT:
        subprocess.run(["cmake", "--preset", preset, "-B", WORK / preset, "-D", "PERCALE_TEST_FOLDERS=kernels"],
                       cwd=TREE, stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["ninja", "-C", WORK / preset, "-j", str(jobs), "test_kernels"], check=True)


@functools.cache
def families_of(path):
    """The operations whose device code a file is part of: its folder's, or of those that include it."""
    if path.parent.name != "common":
        return (path.parent.name,)
    common, reached, more = set((ROOT / "kernels/common").glob("*.h")), set(), {path.name}
    while more:
        reached |= more
        more = {header.name for header in common if any(f'"{name}"' in header.read_text() for name in more)} - reached
    if "device.h" in reached:
        return USERS_OF_DEVICE
    return tuple(sorted({source.parent.name for source in (ROOT / "kernels").glob("*/*_cuda.cu")
                         if any(f'/{name}"' in source.read_text() for name in reached)}))


def passes(preset, families, number, seconds):
    """Whether the families' specs pass with mutant `number` active (0: none)."""
    names = []
    for family in families:
        words = "".join(part.capitalize() for part in family.split("_"))
        names += [f"*OnCuda*/{family}_*", f"*Cuda*{words}*", f"*{words}*Cuda*"]
    command = ENVIRONMENT[preset] + [f"PERCALE_MUTANT={number}", str(WORK / preset / "tests" / "test_kernels"),
                                     "--gtest_fail_fast", f"--gtest_filter={':'.join(names)}"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == 0 and not re.search(r"PASSED\s*\] [1-9]", done.stdout):
        sys.exit(f"no test of {families} runs under {preset}")
    return done.returncode == 0


def known_survivors():
    """{(file, line's text, what it becomes): reason}"""
    result = {}
    for line in SURVIVORS.read_text().splitlines() if SURVIVORS.exists() else []:
        if line and not line.startswith("#"):
            name, text, after, reason = (part.strip() for part in line.split(" | "))
            result[name, text, after] = reason
    return result


def time_unbroken(run):
    """Seconds that a preset's run of some families may take: five times what it takes without a mutant."""
    preset, families = run
    start = time.monotonic()
    if not passes(preset, families, 0, 3000):
        sys.exit(f"{families} fail under {preset} without a mutant")
    return 30 + 5 * (time.monotonic() - start)


def run_all(mutants, jobs):
    """The mutants that no test catches."""
    runs = sorted({(preset, families_of(mutant.path)) for mutant in mutants for preset in ENVIRONMENT})
    alive = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        allowed = dict(zip(runs, pool.map(time_unbroken, runs)))

        def survives(mutant):
            families = families_of(mutant.path)
            return all(passes(preset, families, mutant.number, allowed[preset, families]) for preset in ENVIRONMENT)

        for mutant, survived in zip(mutants, pool.map(survives, mutants)):
            print(f"{mutant}: {'SURVIVES' if survived else 'caught'}", flush=True)
            if survived:
                alive.append(mutant)
    return alive


def figures(name, made, escaped, excused):
    caught = len(made) - len(escaped) - len(excused)
    return f"{name:20} {len(made):6} {caught:6} {len(escaped):7} {len(excused):14}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2, help="processes that compile and test")
    arguments = parser.parse_args()
    paths = sorted(path.relative_to(ROOT) for pattern in ("*/*_cuda.cu", "*/*.h") for path in (ROOT / "kernels").glob(pattern)
                   if path.name not in LEFT_ALONE and re.search("__(device|global)__", path.read_text()))
    copy_tree(paths)
    mutants = mutate(paths)
    if arguments.families:
        mutants = [mutant for mutant in mutants if mutant.path.parent.name in arguments.families]
    if arguments.list:
        print(*mutants, f"{len(mutants)} mutants", sep="\n")
        return 0
    build(arguments.jobs)
    reasons = known_survivors()
    alive = run_all(mutants, arguments.jobs)
    reason_of = {m: reasons.get((str(m.path), m.before.strip(), m.after), "") for m in alive}
    excused = [m for m in alive if reason_of[m] and not reason_of[m].startswith("unseen:")]
    escaped = [m for m in alive if m not in excused]
    print(f"\n{'':20} {'made':>6} {'caught':>6} {'escaped':>7} {'change nothing':>14}")
    for family in sorted({mutant.path.parent.name for mutant in mutants}):
        print(figures(family, *([m for m in some if m.path.parent.name == family] for some in (mutants, escaped, excused))))
    print(figures("all", mutants, escaped, excused))
    for mutant in escaped + excused:
        print(f"  {mutant}  {reason_of[mutant]}")
    return int(20 * len(escaped) > len(mutants) - len(excused))


if __name__ == "__main__":
    sys.exit(main())
