"""Attention in PyTorch, for `percale_bench --compare`: one JSON line a case, as percale_bench names them.

    env LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 attention.py > torch.jsonl
    percale_bench attention --compare torch.jsonl

scaled_dot_product_attention of [sequences, heads, length, width], views of a projection's [sequences, length, heads * width]
as a model has them; `contiguous` has them copied beforehand, which is the best that PyTorch can do.
"""
import functools

import torch
from torch.nn.functional import scaled_dot_product_attention

from timing import parser_of, print_timings

parser = parser_of(__doc__, 2.0)
parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
args = parser.parse_args()


def case(sequences, length, heads, width, contiguous, backward):
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


CASES = {}
for sequences, length, heads, width in [(8, 128, 12, 64), (32, 18, 12, 32)]:
    for backward in [False, True]:
        name = f"attention.{sequences}x{length}x{heads}x{width}" + ".backward" * backward + ".bf16" * (args.dtype == "bfloat16")
        for contiguous in [False, True]:
            CASES[name + ".contiguous" * contiguous] = functools.partial(case, sequences, length, heads, width, contiguous, backward)
print_timings(CASES, args)
