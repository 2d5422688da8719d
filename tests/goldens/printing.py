"""Tensors as PyTorch prints them, written to printing.jsonl: what to build, and the text that must come out.

    python3 printing.py        # needs torch; made with the version that the file's first line names

A case is built from `data` (the storage's bytes in hex, little endian, repeated until the tensor is full), `dtype` and
`shape`, then the `views` in order. `requires_grad` is set on the result, or `grad_fn` names the node that it came out of.
`options` are print options for that case alone.

There need be no GPU: for the cases with `device`, torch._tensor_str is told that the default device is another one, and
that a CPU tensor's device is written 'cuda:0'. All else, the breaking of lines included, is PyTorch's own code at work.
"""
import contextlib, json, math, pathlib, platform
import numpy as np
import torch
from torch import _tensor_str

DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16,
          "i64": torch.int64, "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
cases = []


@contextlib.contextmanager
def printed_as_cuda():
    default = torch._C._get_default_device
    torch._C._get_default_device = lambda: "cuda"
    _tensor_str.str = lambda value: "cuda:0" if isinstance(value, torch.device) else str(value)
    try:
        yield
    finally:
        torch._C._get_default_device = default
        del _tensor_str.str


class Named(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g


def viewed(tensor, views):
    for name, *arguments in views:
        if name == "slice":
            dim, start, stop, step = arguments
            tensor = tensor[(slice(None),) * dim + (slice(start, stop, step),)]
        elif name == "channels_last":
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        elif name in ("permute", "expand", "view", "reshape"):
            tensor = getattr(tensor, name)(*arguments)
        else:
            tensor = getattr(tensor, name)(*arguments)
    return tensor


def case(values, dtype="f32", shape=None, views=(), requires_grad=False, grad_fn=None, cuda=False, options=None):
    """One case; `values` is a list, array or tensor, repeated to fill `shape`."""
    block = torch.as_tensor(values).to(DTYPES[dtype]).reshape(-1)
    shape = list(block.shape if shape is None else shape)
    raw = block.view(torch.uint8).numpy().tobytes() if block.numel() else b""
    count = math.prod(shape)
    assert block.numel() or not count
    full = block.repeat(-(-count // max(block.numel(), 1)))[:count].reshape(shape)
    tensor = viewed(full, views)
    if requires_grad:
        tensor = tensor.detach().requires_grad_()
    if grad_fn:
        node = type(grad_fn[:-len("Backward")] if grad_fn.endswith("Backward") else grad_fn, (Named,), {})
        tensor = node.apply(tensor.detach().requires_grad_())
        assert grad_fn.endswith("Backward"), "a made node is always called SomethingBackward"
    record(tensor, raw, dtype, shape, views, requires_grad, grad_fn, cuda, options)


def record(tensor, raw, dtype, shape, views, requires_grad, grad_fn, cuda, options):
    with torch._tensor_str.printoptions(**(options or {})), printed_as_cuda() if cuda else contextlib.nullcontext():
        text = repr(tensor)
    entry = {"dtype": dtype, "shape": shape, "data": raw.hex()}
    entry.update({key: value for key, value in [("views", list(views)), ("requires_grad", requires_grad), ("grad_fn", grad_fn),
                                                ("device", "cuda" if cuda else None), ("options", options)] if value})
    cases.append({**entry, "text": text})


def natural(tensor, name):
    """A tensor with the grad_fn that PyTorch's own operation gave it; the data is the result's."""
    assert type(tensor.grad_fn).__name__ == name, tensor.grad_fn
    plain = tensor.detach().contiguous()
    record(tensor, plain.reshape(-1).view(torch.uint8).numpy().tobytes(), NAMES[tensor.dtype], list(tensor.shape), (), False,
           name, False, None)


def normal(*shape, seed=0, scale=1.0, offset=0.0):
    return np.random.default_rng(seed).standard_normal(shape) * scale + offset


nan, inf = math.nan, math.inf

# 0-d: every dtype, and the values where the notation changes.
for value in [0.0, -0.0, 1.0, -1.0, 3.14159265, 0.5, 1e-4, 9.9999e-5, 1.0001e-4, 1e5, 99999.0, 123456.0, 1e8, 100000008.0,
              1.5e8, 1e-10, 1e10, 1e38, 1e-45, nan, inf, -inf, 0.00005, 2.5, 16777216.0, 0.99995, 0.99994999, 12345.678]:
    case([value], "f32", [])
for value in [0.1, 1e300, -5e-324, 1e8, 1e8 + 1, nan, 2.00005, 1.00005]:
    case([value], "f64", [])
for value in [65504.0, 6e-8, 0.1, 1.0, inf, 0.33325, 2048.0]:
    case([value], "f16", [])
for value in [3.0, 0.1, 3e38, 1e-40, -nan]:
    case([value], "bf16", [])
for dtype, value in [("i64", 2**63 - 1), ("i64", -2**63), ("i64", 0), ("i32", -2**31), ("u8", 255), ("bool", True), ("bool", False)]:
    case(torch.tensor([value], dtype=DTYPES[dtype]), dtype, [])

# One dimension: modes and their switches.
vectors = [
    [1, 2, 3], [1.5, 2, 3], [0, 0, 0], [-0.0, 0.0], [nan, nan], [inf, -inf, nan], [nan, 1, 2], [nan, 1.5, 2.25],
    [inf, 1, -1], [inf, 1.25], [-inf, 1000000, 3], [1, 1000], [1, 1001], [1, 1000.0001], [0.1, 100], [0.1, 100.0001], [0.1, 101],
    [1e-4, 1e-3], [9.999e-5, 1e-3], [1e-4, 0.1], [1e-4, 0.2], [1e8, 1e7], [1e8, 99999999], [100000008, 1e8], [1e5, 2e5],
    [99999, 1e5], [99999.5, 1e5], [123456.789], [1e-5, 0], [0, 1e-45], [3e38, -3e38], [1e10, 0], [0, 1, -1], [-1, -10, -100],
    [-1.5, 22.25, -333.125], [0.00005, 0.05], [0.99995, 1.00005], [1.00005, 2.00015, 0.33335], [16777216, 16777217],
    [2.5, 3.5, 4.5], [0.5, 1.5], [1e-3, nan, inf, -inf, 0], [1e9, nan, -inf], [1e9, 0.5, nan], [5, nan], [0, nan], [0.0, 1e20],
    [1, 2, 3e9], [4294967296, 8589934592], [1e-7, -1e-7], [1e-7, 1.0], [123.4567, 0.1234567], [9.99995, 99.9999], [9999.99995, 10],
]
for values in vectors:
    case(values, "f32")
for values in [[1, 2, 3], [0.1, 0.2], [1e-5, 1], [1e300, 1e-300], [nan, inf, 0.5], [1 / 3, 2 / 3], [5e-324], [1e15 + 0.3, 1], [1e8 + 0.5, 1e8],
               [2.00005, 1.00005, 0.00015], [1e16, 1]]:
    case(values, "f64")
for values in [[65504, 1], [65504, 65472], [1, 2, 3], [0.1, 0.2, 0.3], [6e-8, 6e-5], [0.00012, 0.5], [1.00048828125, 1.0009765625],
               [nan, 0.5, -inf], [0, -0.0], [1000, 1], [1000.5, 1], [2049, 0.33325]]:
    case(values, "f16")
for values in [[1, 2, 3], [0.1, 0.2, 0.3], [3e38, 1], [1e-39, 1e-38], [256, 257, 258], [nan, inf], [1.0078125, 1.015625], [-0.5, 100]]:
    case(values, "bf16")
case([0, 1, -1, 100], "i64")
case(torch.tensor([2**63 - 1, -2**63, 0]), "i64")
case([5, 50, 500, -5000], "i32")
case(torch.tensor([2**31 - 1, -2**31]), "i32")
case([0, 7, 255], "u8")
case([1, 0, 1], "bool")
case([1, 1], "bool")
case([0], "bool")

# Lines break at 80 columns: vectors of every length about the break, several widths.
for count in [1, 7, 8, 9, 10, 11, 12, 16, 17, 18, 25, 26, 27, 64, 128]:
    case(normal(count, seed=count), "f32")
for count in [10, 24, 25, 26, 37, 100]:
    case(np.arange(count), "i64")
    case(np.arange(count), "f32")
for count in [9, 10, 11, 12, 20]:
    case([1, 0, 0], "bool", [count])
case(normal(20, scale=1e6), "f32")
case(normal(20, scale=1e-6), "f32")
case(normal(20, scale=30000), "f32")
case(normal(33, scale=1e9), "f64")
case(normal(40), "f16")
case(normal(40), "bf16")
case(np.arange(100) * 7 % 256, "u8")
case(np.arange(60) * 1000003 - 30000000, "i32")
case(np.abs(normal(128, seed=5)) * (normal(128, seed=6) > 0.3) * 8, "f32")

# Two to five dimensions.
case(normal(3, 4), "f32", [3, 4])
case(normal(2, 10, seed=1), "f32", [2, 10], grad_fn="SliceBackward")
case(normal(3, 30), "f32", [3, 30])
case(normal(2, 3, 4), "f32", [2, 3, 4])
case(normal(2, 2, 2, 3), "f32", [2, 2, 2, 3])
case(normal(1, 2, 1, 2, 2), "f32", [1, 2, 1, 2, 2])
case(normal(1, 1, 4, 4), "f32", [1, 1, 4, 4])
case(np.arange(24), "i64", [2, 3, 4])
case(np.arange(24), "f32", [4, 6])
case(np.arange(60), "u8", [3, 20])
case([1, 0], "bool", [3, 5])
case([1, 0, 0], "bool", [6, 3])
case(np.arange(90), "i32", [3, 30])
case(normal(2, 18), "f64", [2, 18])
case(normal(2, 18), "f16", [2, 18])
case(normal(3, 3) * 1e-5, "f32", [3, 3])
case(normal(2, 2, 12, scale=1e5), "f32", [2, 2, 12])
case([1.5, nan, inf, -inf, 0, -0.0, 2], "f32", [3, 7])
case([1, nan, inf, -inf, 0, -0.0], "f32", [2, 2, 6])
case([1e-9, nan, inf, -inf, 0, -0.0], "f32", [2, 6])
case(normal(1, 1), "f32", [1, 1])
case(normal(1, 1, 1), "f32", [1, 1, 1])
case(normal(8), "f32", [1] * 7 + [8])
case(normal(8), "f32", [8] + [1] * 7)
case([7], "f32", [10, 1])

# Empty.
for dtype in DTYPES:
    case(torch.empty(0), dtype, [0])
for shape in [[0, 3], [3, 0], [2, 0, 4], [0, 0], [1, 0, 1, 0]]:
    case(torch.empty(0), "f32", shape)
case(torch.empty(0), "i64", [0, 2])
case(torch.empty(0), "bool", [4, 0])
case(torch.empty(0), "f64", [2, 3, 0], requires_grad=True)
case(torch.empty(0), "f32", [0], requires_grad=True)
case(torch.empty(0), "f32", [0, 5], cuda=True)

# Summaries: over 1000 elements.
case(normal(1000), "f32")
case(normal(1001), "f32")
case(normal(97), "f32", [1000, 1000])
case(normal(97), "f32", [1, 8, 768])
case(normal(97), "f32", [8, 768])
case(normal(97), "f32", [5, 201])
case(normal(97), "f32", [6, 200])
case(normal(97), "f32", [7, 200])
case(normal(97), "f32", [200, 6])
case(normal(97), "f32", [200, 7])
case(normal(97), "f32", [2, 3, 1000])
case(normal(97), "f32", [10, 10, 11])
case(normal(97), "f32", [20, 3, 20])
case(normal(97), "f32", [64, 1, 28, 28])
case(normal(97), "f32", [6, 6, 6, 6])
case(normal(97), "f32", [7, 7, 7, 7])
case(normal(97), "f32", [2, 2, 2, 200])
case(normal(97), "f32", [1001, 1])
case(normal(97), "f32", [1, 1001])
case(normal(97), "f32", [1001, 1, 1])
case(normal(97), "f32", [600, 800, 3])
case(np.arange(2000), "i64")
case(np.arange(2000), "f32")
case(np.arange(1600), "i32", [40, 40])
case(np.arange(256), "u8", [60, 60])
case([1, 0, 0], "bool", [1200])
case([1, 0, 0], "bool", [40, 40])
case(normal(97, scale=1e-6), "f32", [40, 40])
case(normal(97, scale=1e7), "f64", [40, 40])
case(normal(97), "f16", [40, 40])
case(normal(97), "bf16", [40, 40])
case(np.where(np.arange(2000) == 1000, 1e9, 1.5), "f32")  # what is not shown does not choose the notation
case(np.where(np.arange(2000) == 1999, 1e9, 1.5), "f32")
case([nan, 1, 2, inf], "f32", [50, 50])
case([0], "f32", [64, 128])
case([1], "f32", [2000, 2])
case(normal(97), "f32", [64, 128], requires_grad=True)
case(normal(97), "f32", [64, 128], grad_fn="AddmmBackward")
case(normal(97), "f32", [64, 128], cuda=True, grad_fn="ReluBackward")
case(normal(97), "f32", [3, 2000], views=[["transpose", 0, 1]])
case(normal(97), "f32", [2, 20, 10, 10], views=[["channels_last"]])

# Suffixes, and where they wrap.
for count in range(1, 13):
    case(normal(count, seed=3), "f32", requires_grad=True)
for count in range(4, 10):
    case(normal(count, seed=4), "f64", requires_grad=True)
    case(normal(count, seed=4), "f16", cuda=True)
for count in [2, 5, 6, 7, 8]:
    case(normal(count, seed=9), "f32", cuda=True, requires_grad=True)
    case(normal(count, seed=9), "bf16", cuda=True, grad_fn="MulBackward")
case([2.5], "f32", [], requires_grad=True)
case([2.5], "f32", [], cuda=True)
case([2.5], "f64", [], grad_fn="MeanBackward")
case([3], "i64", [], cuda=True)
case([3], "u8", [2, 2], cuda=True)
case([1], "bool", [3], cuda=True)
case(normal(6), "f32", [2, 3], requires_grad=True)
case(normal(6), "f64", [2, 3], requires_grad=True)
case(normal(6), "f64", [2, 3], cuda=True, grad_fn="CrossEntropyBackward")
case(normal(60), "f32", [6, 10], grad_fn="AVeryLongNameThatForcesTheSuffixToTheNextLineBackward")

# Views: contiguous or not, the same text.
case(normal(12), "f32", [3, 4], views=[["transpose", 0, 1]])
case(normal(24), "f32", [2, 3, 4], views=[["permute", 2, 0, 1]])
case(normal(24), "f32", [2, 3, 4], views=[["select", 1, 2]])
case(normal(30), "f32", [30, 1], views=[["slice", 0, 0, 2, 1]])
case(normal(30), "f32", [5, 6], views=[["slice", 1, 1, 6, 2], ["slice", 0, 1, 5, 3]])
case(normal(3), "f32", [3, 1], views=[["expand", 3, 4]])
case(np.arange(24), "i64", [2, 3, 4], views=[["transpose", 1, 2], ["slice", 2, 1, 3, 1]])
case(normal(48), "f32", [2, 3, 2, 4], views=[["channels_last"]])
case(normal(48), "f32", [2, 3, 2, 4], views=[["channels_last"]], requires_grad=True)
case(normal(12), "f32", [12], views=[["unsqueeze", 1], ["view", 3, 4]])
case(normal(12), "f16", [3, 4], views=[["transpose", 0, 1]], cuda=True)
case([1, 0, 0, 1, 1], "bool", [5, 3], views=[["transpose", 0, 1], ["slice", 1, 0, 5, 2]])
case(normal(9), "f32", [9], views=[["slice", 0, 4, 4, 1]])

# Print options.
for options in [{"precision": 2}, {"precision": 8}, {"precision": 0}, {"threshold": 5}, {"edgeitems": 1, "threshold": 5}, {"linewidth": 40},
                {"linewidth": 120}, {"sci_mode": True}, {"sci_mode": False}, {"precision": 2, "sci_mode": True, "linewidth": 60},
                {"linewidth": 5}, {"edgeitems": 5, "threshold": 10}]:
    case(normal(24, seed=11) * 100, "f32", [2, 12], options=options)
case([1, 2, 30000], "f32", options={"sci_mode": True})
case([1, 2, 30000], "f32", options={"sci_mode": False})
case([1e-6, 2, 3], "f32", options={"sci_mode": False})
case(np.arange(20), "i64", options={"threshold": 5})
case(normal(6), "f32", [2, 3], requires_grad=True, options={"linewidth": 30})
case(normal(3), "f32", options={"edgeitems": 0})
case(normal(20), "f32", [4, 5], options={"edgeitems": 0, "threshold": 5})

# What PyTorch's own operations are called.
x = torch.tensor(normal(3, 4), dtype=torch.float32, requires_grad=True)
w = torch.tensor(normal(4, 2, seed=1), dtype=torch.float32)
natural(torch.addmm(torch.ones(2), x, w), "AddmmBackward0")
natural(torch.relu(x), "ReluBackward0")
natural(x @ w, "MmBackward0")
natural((x * x).sum(), "SumBackward0")
natural(x.mean(), "MeanBackward0")
natural(torch.log_softmax(x, 1), "LogSoftmaxBackward0")
natural(torch.nn.functional.cross_entropy(x, torch.tensor([0, 1, 2])), "NllLossBackward0")
natural(torch.nn.functional.mse_loss(x, torch.zeros(3, 4)), "MseLossBackward0")
natural(x.t(), "TBackward0")
natural(x.double(), "ToCopyBackward0")

path = pathlib.Path(__file__).with_suffix(".jsonl")
with path.open("w") as file:
    print(json.dumps({"torch": torch.__version__.split("+")[0], "numpy": np.__version__, "python": platform.python_version(),
                      "cases": len(cases)}), file=file)
    for entry in cases:
        print(json.dumps(entry), file=file)
print(len(cases), "cases,", path.stat().st_size, "bytes")
