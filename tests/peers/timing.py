"""How the scripts beside this time PyTorch, and the lines that they print for `percale_bench --compare`."""
import argparse
import json
import statistics
import time

import torch


def parser_of(text, seconds):
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="all, without any")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=seconds, help="for each case")
    return parser


def median_ms(call, seconds, on_gpu=False):
    """Of one call, after a warm-up; on a GPU of ten, since the waiting for it takes time too."""
    wait, at_once = (torch.cuda.synchronize, 10) if on_gpu else (lambda: None, 1)
    for _ in range(10):
        call()
    wait()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        for _ in range(at_once):
            call()
        wait()
        times.append((time.perf_counter() - start) * 1e3 / at_once)
    return statistics.median(times)


def print_timings(cases, args, on_gpu=False):
    """A JSON line for each of `cases` {name: what makes the call} that `args` asks for, or what is wrong with it."""
    torch.set_num_threads(args.threads)
    if unknown := set(args.cases) - set(cases):
        raise SystemExit(f"there is no case {', '.join(sorted(unknown))}; there are {', '.join(cases)}")
    for name in args.cases or cases:
        torch.manual_seed(0)
        try:
            row = {"ms": round(median_ms(cases[name](), args.seconds, on_gpu), 4), "threads": args.threads, "torch": torch.__version__}
        except Exception as error:  # a way that this PyTorch or machine lacks
            row = {"error": str(error).splitlines()[0]}
        print(json.dumps({"case": name, **row}), flush=True)
