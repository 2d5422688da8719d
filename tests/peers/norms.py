"""Norms and activations in PyTorch, for `percale_bench --compare`: one JSON line a case, as percale_bench names them.

    env LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 norms.py > torch.jsonl
    percale_bench layer_norm bias_gelu embedding_norm batch_norm --compare torch.jsonl

Inputs rotate among enough copies that they do not lie in the cache, as percale_bench's do. `--compile` runs what
torch.compile makes of each case.
"""
import torch
import torch.nn.functional as F

from timing import parser_of, print_timings

parser = parser_of(__doc__, 1.0)
parser.add_argument("--compile", action="store_true")
args = parser.parse_args()
CACHE = 64e6


class Case:
    """`function` of tensors of these shapes, forward or both ways; the constants after them."""
    def __init__(self, function, shapes, both=False, constants=()):
        self.function = torch.compile(function) if args.compile else function
        size = sum(torch.Size(shape).numel() for shape in shapes) * 4
        copies = min(8, 1 + int(CACHE / size))
        self.inputs = [[torch.randn(shape, requires_grad=both) for shape in shapes] for _ in range(copies)]
        self.constants, self.both, self.turn = constants, both, 0
        self.upstream = torch.ones_like(function(*self.inputs[0], *constants).detach())
        self.kept = [None] * copies

    def __call__(self):
        self.turn = (self.turn + 1) % len(self.inputs)
        inputs = self.inputs[self.turn]
        if not self.both:
            with torch.inference_mode():
                self.kept[self.turn] = self.function(*inputs, *self.constants)
            return
        for x in inputs:
            x.grad = None
        self.function(*inputs, *self.constants).backward(self.upstream)


def layer_norm(x, w, b):
    return F.layer_norm(x, w.shape, w, b)


def add_layer_norm(x, r, w, b):
    return F.layer_norm(x + r, w.shape, w, b)


def bias_gelu(x, b):
    return F.gelu(x + b)


def embedding_layer_norm(words, positions, types, w, b, ids, at, kinds):
    return F.layer_norm(F.embedding(ids, words) + F.embedding(at, positions) + F.embedding(kinds, types), w.shape, w, b, 1e-12)


def indices():
    return torch.randint(0, 30_522, (1024,)), torch.randint(0, 512, (1024,)), torch.randint(0, 2, (1024,))


def batch_norm(x, w, b, mean, variance):
    return F.batch_norm(x.permute(0, 3, 1, 2), mean, variance, w, b, training=torch.is_grad_enabled() and x.requires_grad)


EMBEDDINGS = [(30_522, 768), (512, 768), (2, 768), (768,), (768,)]
IMAGES = [(64, 28, 28, 32), (32,), (32,)]
CASES = {
    "layer_norm.1024x768": lambda: Case(layer_norm, [(1024, 768), (768,), (768,)]),
    "layer_norm.1024x3072": lambda: Case(layer_norm, [(1024, 3072), (3072,), (3072,)]),
    "layer_norm.1024x768.both": lambda: Case(layer_norm, [(1024, 768), (768,), (768,)], True),
    "layer_norm.1024x3072.both": lambda: Case(layer_norm, [(1024, 3072), (3072,), (3072,)], True),
    "add_layer_norm.1024x768": lambda: Case(add_layer_norm, [(1024, 768), (1024, 768), (768,), (768,)]),
    "add_layer_norm.1024x768.both": lambda: Case(add_layer_norm, [(1024, 768), (1024, 768), (768,), (768,)], True),
    "bias_gelu.1024x3072": lambda: Case(bias_gelu, [(1024, 3072), (3072,)]),
    "bias_gelu.1024x3072.both": lambda: Case(bias_gelu, [(1024, 3072), (3072,)], True),
    "embedding_layer_norm.30522x768.1024": lambda: Case(embedding_layer_norm, EMBEDDINGS, False, indices()),
    "embedding_layer_norm.30522x768.1024.both": lambda: Case(embedding_layer_norm, EMBEDDINGS, True, indices()),
    "batch_norm.64x32x28x28": lambda: Case(batch_norm, IMAGES, False, (torch.zeros(32), torch.ones(32))),
    "batch_norm.64x32x28x28.train": lambda: Case(batch_norm, IMAGES, True, (torch.zeros(32), torch.ones(32))),
}
print_timings({name + ".compiled" * args.compile: case for name, case in CASES.items()}, args)
