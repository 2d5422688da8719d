"""Attention in PyTorch, for `percale_bench --compare`: one JSON line a case, as percale_bench names them.

    env LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 attention.py > torch.jsonl
    percale_bench attention --compare torch.jsonl

scaled_dot_product_attention of [sequences, heads, length, width], views of a projection's [sequences, length, heads * width]
as a model has them; `contiguous` has them copied beforehand, which is the best that PyTorch can do.
"""
import argparse
import json
import statistics
import time

import torch
from torch.nn.functional import scaled_dot_product_attention

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
args = parser.parse_args()
torch.set_num_threads(args.threads)


def timed(call):
    for _ in range(5):
        call()
    times, end = [], time.perf_counter() + args.seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return round(statistics.median(times), 4)


def case(sequences, length, heads, width, contiguous, backward):
    torch.manual_seed(0)
    shape, dtype = (sequences, length, heads, width), getattr(torch, args.dtype)
    operands = [torch.randn(shape, dtype=dtype).transpose(1, 2) for _ in range(3)]
    if contiguous:
        operands = [x.contiguous() for x in operands]
    upstream = torch.randn(shape, dtype=dtype).transpose(1, 2)

    def forward():
        with torch.inference_mode():
            scaled_dot_product_attention(*operands)

    def both():
        for x in operands:
            x.grad = None
        scaled_dot_product_attention(*operands).backward(upstream)
    if not backward:
        return forward
    for x in operands:
        x.requires_grad_()
    return both


for sequences, length, heads, width in [(8, 128, 12, 64), (32, 18, 12, 32)]:
    for backward in [False, True]:
        name = f"attention.{sequences}x{length}x{heads}x{width}" + (".backward" if backward else "")
        if args.dtype == "bfloat16":
            name += ".bf16"
        for contiguous in [False, True]:
            milliseconds = timed(case(sequences, length, heads, width, contiguous, backward))
            print(json.dumps({"case": name + (".contiguous" if contiguous else ""), "ms": milliseconds}), flush=True)
