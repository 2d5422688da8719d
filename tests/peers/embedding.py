"""Tables of vectors in PyTorch, for `percale_bench --compare`: one JSON line a case, as percale_bench names them.

    env LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 embedding.py > torch.jsonl
    percale_bench embedding --compare torch.jsonl

Indices are uniform or Zipf's (1.05). The sparse step is nn.Embedding(sparse=True) with SparseAdam.
"""
import argparse
import json
import statistics
import time

import torch

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("cases", nargs="*", help="all, without any")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=4.0)
args = parser.parse_args()
torch.set_num_threads(args.threads)
COUNT = 65_536


def draw(rows, zipf):
    if not zipf:
        return torch.randint(0, rows, (COUNT,))
    return torch.multinomial(torch.arange(1, rows + 1, dtype=torch.float64) ** -1.05, COUNT, replacement=True)


def gradient(rows, width, zipf):
    table, index, upstream = torch.nn.Embedding(rows, width), draw(rows, zipf), torch.randn(COUNT, width)

    def call():
        table.weight.grad = None
        table(index).backward(upstream)
    return call


def gather(rows, width):
    table, index = torch.nn.Embedding(rows, width), draw(rows, False)

    def call():
        with torch.inference_mode():
            table(index)
    return call


def sparse_step(rows, width):
    table, index, upstream = torch.nn.Embedding(rows, width, sparse=True), draw(rows, True), torch.randn(COUNT, width)
    optimizer = torch.optim.SparseAdam(table.parameters())

    def call():
        optimizer.zero_grad()
        table(index).backward(upstream)
        optimizer.step()
    return call


CASES = {
    "embedding.100kx64.64k": lambda: gradient(100_000, 64, False),
    "embedding.100kx64.64k.zipf": lambda: gradient(100_000, 64, True),
    "embedding.100kx256.64k": lambda: gradient(100_000, 256, False),
    "embedding.100kx256.64k.zipf": lambda: gradient(100_000, 256, True),
    "gather.100kx256.64k": lambda: gather(100_000, 256),
    "embedding.sparse_adam.1Mx128.64k.zipf": lambda: sparse_step(1_000_000, 128),
}
for name in args.cases or CASES:
    torch.manual_seed(0)
    call = CASES[name]()
    for _ in range(5):
        call()
    times, end = [], time.perf_counter() + args.seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"case": name, "ms": round(statistics.median(times), 4)}), flush=True)
