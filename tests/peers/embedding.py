"""Tables of vectors in PyTorch, for `percale_bench --compare`: one JSON line a case, as percale_bench names them.

    env LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 embedding.py > torch.jsonl
    percale_bench embedding --compare torch.jsonl

Indices are uniform or Zipf's (1.05); bags begin at random places. The sparse step is nn.Embedding(sparse=True) with
SparseAdam. `--device cuda` waits for the GPU after each ten calls, as percale_bench does.
"""
import torch

from timing import parser_of, print_timings

parser = parser_of(__doc__, 4.0)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()
torch.set_default_device(args.device)
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


def bags(rows, width, count):
    table, index = torch.nn.EmbeddingBag(rows, width, mode="sum"), draw(rows, False)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randint(0, COUNT + 1, (count - 1,)).sort().values])
    upstream = torch.ones(count, width)

    def call():
        table.weight.grad = None
        table(index, offsets).backward(upstream)
    return call


def top_k(rows, columns, k):
    x = torch.randn(rows, columns)
    return lambda: torch.topk(x, k)


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
    "top_k.1kx10k.3": lambda: top_k(1000, 10_000, 3),
    "top_k.10x1M.3": lambda: top_k(10, 1_000_000, 3),
    "top_k.1kx10k.40": lambda: top_k(1000, 10_000, 40),
    "embedding_bag.100kx64.64k": lambda: bags(100_000, 64, 2048),
    "embedding.sparse_adam.1Mx128.64k.zipf": lambda: sparse_step(1_000_000, 128),
}

print_timings(CASES, args, on_gpu=args.device == "cuda")
