"""Small operations and their gradients in f64 by PyTorch, written to operations.jsonl, one case a line.

    python3 operations.py      # needs torch; made with the version that the file's first line names

{"op": name, "args": {...}, "inputs": [tensor, ...], "output": tensor, "gradients": [tensor or null, ...], "grad_fn": name}

A tensor is {"shape", "data"} (f64), the same with "dtype", or {"shape", "stream", "scale", "offset"}: multiples of 1/256
by counter.py's formula, exact in every floating dtype but the 16-bit ones. Gradients answer to the upstream gradient that
stream 9 gives for the output's shape. "nan", "inf" and "-inf" stand as strings.
"""
import json
import math
import pathlib
import platform

import numpy as np
import torch
import torch.nn.functional as F

from counter import uniform

cases = []
streams = iter(range(10, 100000))


def quantised(stream, shape, scale=2.0, offset=0.0):
    values = np.floor(uniform(stream, math.prod(shape)) * scale * 256) / 256 + offset
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


class Input:
    """A tensor and how the file writes it."""
    def __init__(self, tensor, written, wants_gradient):
        self.tensor, self.written, self.wants_gradient = tensor, written, wants_gradient


def real(*shape, scale=2.0, offset=0.0, grad=True):
    stream = next(streams)
    return Input(quantised(stream, shape, scale, offset), {"shape": list(shape), "stream": stream, "scale": scale, "offset": offset}, grad)


def given(values, shape=None, grad=True):
    tensor = torch.tensor(values, dtype=torch.float64)
    tensor = tensor if shape is None else tensor.reshape(shape)
    return Input(tensor, written(tensor), grad)


def whole(values, dtype="i64"):
    tensor = torch.tensor(values, dtype={"i64": torch.int64, "bool": torch.bool}[dtype])
    return Input(tensor, {**written(tensor), "dtype": dtype}, False)


def number(value):
    value = float(value)
    return value if math.isfinite(value) else str(value)


def written(tensor):
    flat = tensor.detach().reshape(-1).tolist()
    result = {"shape": list(tensor.shape), "data": [int(v) for v in flat] if not tensor.is_floating_point() else [number(v) for v in flat]}
    if not tensor.is_floating_point():
        result["dtype"] = {torch.int64: "i64", torch.bool: "bool"}[tensor.dtype]
    return result


def case(op, inputs, function, **args):
    leaves = [i.tensor.clone().requires_grad_() if i.wants_gradient else i.tensor for i in inputs]
    output = function(*leaves)
    entry = {"op": op, "args": args, "inputs": [i.written for i in inputs], "output": written(output)}
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    if output.requires_grad:
        gradients = iter(torch.autograd.grad(output, wanted, quantised(9, output.shape), allow_unused=True, materialize_grads=True))
        entry["gradients"] = [written(next(gradients)) if leaf.requires_grad else None for leaf in leaves]
        entry["grad_fn"] = type(output.grad_fn).__name__
    cases.append(entry)


def elementwise():
    table = {"neg": torch.neg, "exp": torch.exp, "abs": torch.abs, "erf": torch.erf, "tanh": torch.tanh,
             "sigmoid": torch.sigmoid, "relu": torch.relu, "gelu": F.gelu}
    special = [0.0, -0.0, 1.0, -1.0, 6.5, -6.5, 20.0, -20.0, 1e-9, -1e-9]
    for name, function in table.items():
        case(name, [real(3, 7, scale=4)], function)
        case(name, [given(special)], function)
    case("gelu", [real(3, 7, scale=4)], lambda x: F.gelu(x, approximate="tanh"), approximate="tanh")
    case("gelu", [given(special)], lambda x: F.gelu(x, approximate="tanh"), approximate="tanh")
    case("log", [real(3, 7, offset=2.5)], torch.log)
    case("sqrt", [real(3, 7, offset=2.5)], torch.sqrt)
    case("log", [given([0.0, 1e-30, 1e30], grad=False)], torch.log)
    case("sqrt", [given([0.0, 4.0, -1.0], grad=False)], torch.sqrt)
    nonfinite = [math.nan, math.inf, -math.inf, 1.0]
    for name in ("exp", "erf", "tanh", "sigmoid", "relu"):
        case(name, [given(nonfinite, grad=False)], table[name])
    for low, high in ((-0.5, 0.75), (None, 0.5), (-0.25, None)):
        args = {key: value for key, value in (("min", low), ("max", high)) if value is not None}
        case("clamp", [real(4, 5)], lambda x: torch.clamp(x, low, high), **args)
    case("clamp", [given([-1.0, -0.5, 0.0, 0.75, 1.0, math.nan], grad=False)], lambda x: torch.clamp(x, -0.5, 0.75), min=-0.5, max=0.75)
    case("clamp", [given([-1.0, -0.5, 0.0, 0.75, 1.0])], lambda x: torch.clamp(x, -0.5, 0.75), min=-0.5, max=0.75)
    for exponent in (0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -1.5):
        case("pow", [real(3, 4, offset=2.5)], lambda x: torch.pow(x, exponent), exponent=exponent)
    case("pow", [given([-2.0, -1.0, 0.0, 1.0, 3.0])], lambda x: torch.pow(x, 2.0), exponent=2.0)
    case("pow", [given([-2.0, -1.0, 0.0, 1.0, 3.0])], lambda x: torch.pow(x, 3.0), exponent=3.0)
    case("pow_tensor", [real(3, 4, offset=2.5), real(4)], torch.pow)


def binary():
    table = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum}
    shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((), (2, 3)), ((1,), (5,)), ((2, 1, 3, 1), (4, 1, 5))]
    for name, function in table.items():
        for a, b in shapes:
            case(name, [real(*a), real(*b, offset=2.5 if name == "div" else 0.0)], function)
    for name in ("maximum", "minimum"):  # a tie shares its gradient
        case(name, [given([1.0, 2.0, 2.0, -0.5]), given([1.0, 3.0, 1.0, -0.5])], table[name])
        case(name, [given([math.nan, 1.0], grad=False), given([1.0, math.nan], grad=False)], table[name])
    case("div", [given([1.0, -1.0, 0.0], grad=False), given([0.0, 0.0, 0.0], grad=False)], torch.div)
    for name, function in {"eq": torch.eq, "ne": torch.ne, "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge}.items():
        case(name, [given([1.0, 2.0, 3.0, math.nan], grad=False), given([2.0, 2.0, 2.0, math.nan], grad=False)], function)
        case(name, [real(3, 1, grad=False), real(4, grad=False)], function)
    condition = [[True, False, True, False], [False, False, True, True], [True, True, False, False]]
    case("where", [whole(condition, "bool"), real(3, 4), real(3, 4)], torch.where)
    case("where", [whole(condition, "bool"), real(4), real(3, 1)], torch.where)
    case("where", [whole([[True], [False]], "bool"), real(1), real(2, 5)], torch.where)


def reductions():
    table = {"sum": lambda x, d, k: torch.sum(x, d, k), "mean": lambda x, d, k: torch.mean(x, d, k),
             "max": lambda x, d, k: torch.amax(x, d, k), "min": lambda x, d, k: torch.amin(x, d, k)}
    for name, function in table.items():
        for dims, keepdim in (([0], False), ([1], True), ([-1], False), ([0, 2], False), ([0, 2], True), ([1, 2], False), ([0, 1, 2], True)):
            case(name, [real(3, 4, 5)], lambda x: function(x, dims, keepdim), dims=dims, keepdim=keepdim)
        case(name, [given([1.0, 2.0, 2.0, 1.0, 1.0, 2.0], [2, 3])], lambda x: function(x, [1], False), dims=[1], keepdim=False)
        case(name, [given([1.0, math.nan, 3.0, 2.0, 1.0, -math.inf], [2, 3], grad=False)], lambda x: function(x, [1], False), dims=[1], keepdim=False)
    case("sum", [real(3, 4)], lambda x: torch.sum(x))
    case("mean", [real(3, 4)], lambda x: torch.mean(x))
    case("max", [given([1.0, 3.0, 3.0, 2.0])], lambda x: torch.max(x))
    case("min", [given([1.0, 3.0, 1.0, 2.0])], lambda x: torch.min(x))
    case("sum", [given([], [0, 3], grad=False)], lambda x: torch.sum(x, [0]), dims=[0], keepdim=False)
    case("mean", [given([], [0, 3], grad=False)], lambda x: torch.mean(x, [0]), dims=[0], keepdim=False)
    for dim, keepdim in ((0, False), (1, False), (-1, True)):
        case("argmax", [real(4, 5, grad=False)], lambda x: torch.argmax(x, dim, keepdim), dim=dim, keepdim=keepdim)
    case("argmax", [given([1.0, 5.0, 5.0, 0.0, 0.0, 0.0, 2.0, 1.0, 2.0], [3, 3], grad=False)], lambda x: torch.argmax(x, 1), dim=1, keepdim=False)
    case("argmax", [given([1.0, math.nan, 5.0, math.nan, 2.0, math.nan], [2, 3], grad=False)], lambda x: torch.argmax(x, 1), dim=1, keepdim=False)
    for name, function in {"softmax": torch.softmax, "log_softmax": torch.log_softmax}.items():
        for shape, dim in (((3, 5), 1), ((3, 5), 0), ((2, 3, 4), -1), ((2, 3, 4), 1), ((7,), 0)):
            case(name, [real(*shape, scale=4)], lambda x: function(x, dim), dim=dim)
        case(name, [given([1000.0, 999.0, -1000.0, 0.0, 0.0, 0.0], [2, 3])], lambda x: function(x, 1), dim=1)
        case(name, [given([-math.inf, 0.0, 1.0], [1, 3], grad=False)], lambda x: function(x, 1), dim=1)


def matrices():
    for a, b in (((5,), (5,)), ((3, 5), (5,)), ((5,), (5, 4)), ((3, 5), (5, 4)), ((2, 3, 5), (2, 5, 4)), ((2, 3, 5), (5, 4)), ((5,), (2, 5, 4)),
                 ((2, 1, 3, 5), (4, 5, 2)), ((3, 5), (2, 5, 4)), ((1, 1), (1, 7)), ((2, 3, 5), (5,)), ((3, 0), (0, 2))):
        case("matmul", [real(*a), real(*b)], torch.matmul)
    case("matmul_transposed", [real(5, 3), real(4, 5)], lambda a, b: a.transpose(-1, -2) @ b.transpose(-1, -2))
    case("matmul_transposed", [real(2, 5, 3), real(2, 4, 5)], lambda a, b: a.transpose(-1, -2) @ b.transpose(-1, -2))
    for rows in ((6,), (2, 3), ()):
        case("linear", [real(*rows, 7), real(4, 7), real(4)], F.linear)
        case("linear", [real(*rows, 7), real(4, 7)], F.linear)
        case("linear_relu", [real(*rows, 7), real(4, 7), real(4)], lambda x, w, b: torch.relu(F.linear(x, w, b)))


def convolutions():
    for name, shape, weight, args in (
            ("plain", (2, 3, 5, 6), (4, 3, 3, 3), {}),
            ("padded", (2, 3, 5, 5), (4, 3, 3, 3), {"padding": 1}),
            ("strided", (1, 2, 7, 8), (3, 2, 3, 3), {"stride": 2, "padding": 1}),
            ("oblong", (1, 2, 7, 8), (3, 2, 3, 2), {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}),
            ("dilated", (1, 2, 7, 7), (2, 2, 3, 3), {"dilation": 2, "padding": 2}),
            ("grouped", (2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
            ("depthwise", (1, 4, 6, 6), (4, 1, 3, 3), {"groups": 4, "padding": 1, "stride": 2}),
            ("one by one", (2, 3, 4, 4), (5, 3, 1, 1), {}),
            ("one channel", (2, 1, 6, 6), (3, 1, 3, 3), {"padding": 1}),
            ("five by five", (1, 2, 8, 8), (2, 2, 5, 5), {"padding": 2, "stride": 3})):
        for bias in ([real(weight[0])], []):
            case("conv2d", [real(*shape, scale=1), real(*weight, scale=0.5), *bias], lambda x, w, *b: F.conv2d(x, w, *b, **args), **args)
    case("conv2d_relu", [real(2, 3, 5, 5, scale=1), real(4, 3, 3, 3, scale=0.5), real(4)], lambda x, w, b: torch.relu(F.conv2d(x, w, b, padding=1)), padding=1)


def pooling():
    for shape, args in (((2, 3, 6, 6), {"kernel": 2}), ((1, 2, 7, 7), {"kernel": 2}), ((1, 2, 7, 7), {"kernel": 3, "stride": 2}),
                        ((1, 2, 7, 7), {"kernel": 3, "stride": 2, "padding": 1}), ((1, 2, 7, 8), {"kernel": 3, "stride": 2, "ceil_mode": True}),
                        ((1, 1, 5, 5), {"kernel": 2, "stride": 2, "padding": 1, "ceil_mode": True}),
                        ((1, 2, 6, 7), {"kernel": [2, 3], "stride": [2, 1], "padding": [0, 1]}), ((1, 1, 5, 5), {"kernel": 2, "stride": 1})):
        named = {("kernel_size" if key == "kernel" else key): value for key, value in args.items()}
        case("max_pool2d", [real(*shape)], lambda x: F.max_pool2d(x, **named), **args)
        case("avg_pool2d", [real(*shape)], lambda x: F.avg_pool2d(x, **named), **args)
        if "padding" in args:
            case("avg_pool2d", [real(*shape)], lambda x: F.avg_pool2d(x, **named, count_include_pad=False), **args, count_include_pad=False)
    case("max_pool2d", [real(1, 2, 7, 7)], lambda x: F.max_pool2d(x, 2, dilation=2), kernel=2, dilation=2)
    case("max_pool2d", [real(1, 1, 8, 9)], lambda x: F.max_pool2d(x, 3, 2, 1, 2), kernel=3, stride=2, padding=1, dilation=2)
    case("max_pool2d", [given([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0] * 2, [1, 1, 4, 4])], lambda x: F.max_pool2d(x, 2), kernel=2)
    case("max_pool2d", [given([1.0, math.nan, 0.0, 2.0], [1, 1, 2, 2], grad=False)], lambda x: F.max_pool2d(x, 2), kernel=2)
    case("avg_pool2d", [real(1, 2, 4, 4)], lambda x: F.avg_pool2d(x, 2, divisor_override=3), kernel=2, divisor_override=3)
    for shape, size in (((2, 3, 6, 6), 1), ((1, 2, 7, 5), 3), ((1, 2, 5, 7), [2, 3]), ((1, 1, 4, 4), 6)):
        case("adaptive_avg_pool2d", [real(*shape)], lambda x: F.adaptive_avg_pool2d(x, size), size=size)


def losses():
    labels = [0, 3, 1, 4, 2, 2]
    for reduction in ("mean", "sum", "none"):
        for args in ({}, {"ignore_index": 2}, {"label_smoothing": 0.1}, {"label_smoothing": 0.2, "ignore_index": 3}):
            full = {"reduction": reduction, **args}
            case("cross_entropy", [real(6, 5), whole(labels)], lambda x, y: F.cross_entropy(x, y, **full), **full)
            case("cross_entropy", [real(6, 5), whole(labels), real(5, scale=0.5, offset=1.0, grad=False)],
                 lambda x, y, w: F.cross_entropy(x, y, w, **full), **full)
        case("mse_loss", [real(4, 3), real(4, 3)], lambda x, y: F.mse_loss(x, y, reduction=reduction), reduction=reduction)
    case("cross_entropy", [real(2, 5), whole([-100, 4])], F.cross_entropy, reduction="mean")
    case("cross_entropy", [real(2, 5), whole([-100, -100])], F.cross_entropy, reduction="mean")
    case("cross_entropy", [given([1000.0, 0.0, -1000.0, 0.0, 0.0, 0.0], [2, 3]), whole([2, 1])], F.cross_entropy, reduction="mean")


def joining():
    case("cat", [real(2, 3), real(4, 3)], lambda *x: torch.cat(x, 0), dim=0)
    case("cat", [real(2, 3), real(2, 1), real(2, 2)], lambda *x: torch.cat(x, -1), dim=-1)
    case("cat", [real(2, 0, 3), real(2, 2, 3)], lambda *x: torch.cat(x, 1), dim=1)
    case("index_select", [real(4, 3), whole([2, 0, 2, 2, 1])], lambda x, i: torch.index_select(x, 0, i), dim=0)
    case("index_select", [real(2, 4, 3), whole([3, 3, 0])], lambda x, i: torch.index_select(x, 1, i), dim=1)
    case("index_select", [real(2, 4), whole([])], lambda x, i: torch.index_select(x, 1, i), dim=1)
    case("slice", [real(5, 6)], lambda x: x[:, 1:6:2], dim=1, start=1, end=6, step=2)
    case("slice", [real(5, 6)], lambda x: x[-3:-1], dim=0, start=-3, end=-1, step=1)
    case("select", [real(3, 4)], lambda x: x.select(1, -1), dim=1, position=-1)
    case("transpose", [real(2, 3, 4)], lambda x: x.transpose(0, 2), dim0=0, dim1=2)
    case("permute", [real(2, 3, 4)], lambda x: x.permute(2, 0, 1), dims=[2, 0, 1])
    case("expand", [real(3, 1)], lambda x: x.expand(2, 3, 4), shape=[2, 3, 4])
    case("reshape", [real(2, 6)], lambda x: x.reshape(3, -1), shape=[3, -1])
    case("unsqueeze", [real(2, 3)], lambda x: x.unsqueeze(1), dim=1)
    case("squeeze", [real(2, 1, 3)], lambda x: x.squeeze(1), dim=1)
    case("flatten", [real(2, 3, 4)], lambda x: x.flatten(1), start=1)


def penalty(function):
    """The gradient of `function` with stream 9 from upstream, weighted with stream 8."""
    def value(*inputs):
        output = function(*inputs)
        gradients = torch.autograd.grad(output, [i for i in inputs if i.requires_grad], quantised(9, output.shape), create_graph=True)
        return sum((g * quantised(8, g.shape)).sum() for g in gradients)
    return value


def second_derivatives():
    """The gradient of sum(gradient * v) for v of stream 8: a gradient written with operations has one of its own."""
    case("twice.tanh", [real(3, 4)], penalty(torch.tanh))
    case("twice.sigmoid", [real(3, 4)], penalty(torch.sigmoid))
    case("twice.exp", [real(3, 4)], penalty(torch.exp))
    case("twice.log", [real(3, 4, offset=2.5)], penalty(torch.log))
    case("twice.mul", [real(3, 4), real(4)], penalty(torch.mul))
    case("twice.div", [real(3, 4), real(4, offset=2.5)], penalty(torch.div))
    case("twice.matmul", [real(3, 4), real(4, 2)], penalty(torch.matmul))
    case("twice.softmax", [real(3, 4)], penalty(lambda x: torch.softmax(x, 1)))
    case("twice.log_softmax", [real(3, 4)], penalty(lambda x: torch.log_softmax(x, 1)))
    case("twice.conv2d", [real(1, 2, 4, 4, scale=1), real(2, 2, 3, 3, scale=1)], penalty(lambda x, w: F.conv2d(x, w, padding=1)))
    case("twice.linear", [real(3, 4), real(2, 4), real(2)], penalty(F.linear))


def optimisers(variants):
    """Five steps on two parameters whose gradients are streams 51, 52, ...: outputs both parameters, flat, in turn."""
    table = {"SGD": torch.optim.SGD, "Adagrad": torch.optim.Adagrad, "Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}
    for name, args in variants:
        inputs = [real(3, 5, grad=False), real(7, grad=False)]
        parameters = [torch.nn.Parameter(i.tensor.clone()) for i in inputs]
        named = {**args, "betas": tuple(args["betas"])} if "betas" in args else args
        optimizer = table[name](parameters, **named)
        for step in range(5):
            for i, parameter in enumerate(parameters):
                # Growing smaller from step to step, so that amsgrad's maximum differs from the running one.
                parameter.grad = quantised(51 + 2 * step + i, parameter.shape) * 0.5**step
            optimizer.step()
        cases.append({"op": "optimizer." + name, "args": args, "inputs": [i.written for i in inputs],
                      "output": written(torch.cat([p.detach().reshape(-1) for p in parameters]))})


def first_optimisers():
    optimisers((("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
                ("SGD", {"lr": 0.1, "weight_decay": 0.01}), ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
                ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
                ("Adam", {"lr": 1e-3}), ("Adam", {"lr": 0.1, "betas": [0.8, 0.95], "eps": 1e-6}), ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
                ("Adam", {"lr": 0.1, "amsgrad": True}), ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}),
                ("AdamW", {"lr": 0.1}), ("AdamW", {"lr": 0.1, "weight_decay": 0.2}), ("AdamW", {"lr": 0.1, "amsgrad": True})))


def schedules():
    """The learning rate of 50 steps, the first before any step of the schedule."""
    lr = torch.optim.lr_scheduler
    table = {"StepLR": (lr.StepLR, {"step_size": 7, "gamma": 0.5}), "CosineAnnealingLR": (lr.CosineAnnealingLR, {"T_max": 30, "eta_min": 0.001}),
             "OneCycleLR": (lr.OneCycleLR, {"max_lr": 0.5, "total_steps": 50}), "LinearLR": (lr.LinearLR, {"start_factor": 0.1, "total_iters": 10})}
    variants = [(name, args) for name, (_, args) in table.items()]
    variants += [("OneCycleLR", {"max_lr": 0.5, "total_steps": 50, "pct_start": 0.2, "div_factor": 10.0, "final_div_factor": 100.0}),
                 ("CosineAnnealingLR", {"T_max": 50})]
    for name, args in variants:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = table[name][0](optimizer, **args, **({"cycle_momentum": False} if name == "OneCycleLR" else {}))
        rates = []
        for step in range(50):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step < 49:
                schedule.step()
        cases.append({"op": "schedule." + name, "args": {"lr": 0.1, **args}, "inputs": [], "output": written(torch.tensor(rates, dtype=torch.float64))})


def clipping():
    """Clips the gradients given as inputs; outputs them all, flat, and then their norm before clipping."""
    for args in ({"max_norm": 1.0}, {"max_norm": 100.0}, {"max_norm": 0.5, "norm_type": math.inf}, {"max_norm": 0.5, "norm_type": 1.0}):
        inputs = [real(3, 5, grad=False), real(7, grad=False)]
        parameters = [torch.nn.Parameter(torch.zeros_like(i.tensor)) for i in inputs]
        for parameter, i in zip(parameters, inputs):
            parameter.grad = i.tensor.clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters, **args)
        output = torch.cat([p.grad.reshape(-1) for p in parameters] + [norm.reshape(1)])
        cases.append({"op": "clip_grad_norm", "args": {key: number(v) for key, v in args.items()}, "inputs": [i.written for i in inputs], "output": written(output)})
    i = real(3, 5, grad=False)
    parameter = torch.nn.Parameter(torch.zeros(3, 5, dtype=torch.float64))
    parameter.grad = i.tensor.clone()
    torch.nn.utils.clip_grad_value_([parameter], 0.75)
    cases.append({"op": "clip_grad_value", "args": {"value": 0.75}, "inputs": [i.written], "output": written(parameter.grad)})


def promotion():
    """The dtype of a sum, row by row: with a tensor of each dtype, with a 0-d tensor of each, with a number of each kind."""
    dtypes = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64,
              "i32": torch.int32, "u8": torch.uint8, "bool": torch.bool}
    names = {dtype: name for name, dtype in dtypes.items()}
    ones = {name: torch.ones(2, dtype=dtype) for name, dtype in dtypes.items()}
    numbers = {"bool": True, "integer": 2, "real": 2.5}
    table = {"tensor": {a: {b: names[(x + y).dtype] for b, y in ones.items()} for a, x in ones.items()},
             "scalar_tensor": {a: {b: names[(x + y[0]).dtype] for b, y in ones.items()} for a, x in ones.items()},
             "number": {a: {kind: names[(x + v).dtype] for kind, v in numbers.items()} for a, x in ones.items()},
             "div": {a: {b: names[(x / y).dtype] for b, y in ones.items()} for a, x in ones.items()},
             "sum": {a: names[x.sum().dtype] for a, x in ones.items()}, "exp": {a: names[torch.exp(x).dtype] for a, x in ones.items()},
             "pow": {a: {"integer": names[(x**2).dtype], "real": names[(x**0.5).dtype]} for a, x in ones.items()}}
    cases.append({"op": "promotion", "args": table})


def adagrad():
    """Last, so that the numbers of streams before it stay."""
    optimisers((("Adagrad", {"lr": 0.1}), ("Adagrad", {"lr": 0.1, "maximize": True}),
                ("Adagrad", {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.1, "initial_accumulator_value": 0.25, "eps": 1e-3})))



def sparse_optimisers():
    """Five steps on a table of which each step uses some rows: those that `rows` lists, from one on at each step."""
    table = {"SGD": torch.optim.SGD, "Adagrad": torch.optim.Adagrad, "Adam": torch.optim.SparseAdam}
    rows = [2, 5, 2, 0, 2, 6, 1, 5, 0]
    # SparseAdam has eps stand elsewhere: so small a one tells no difference.
    for name, args in (("SGD", {"lr": 0.1}), ("Adagrad", {"lr": 0.1, "lr_decay": 0.5, "eps": 1e-3}), ("Adam", {"lr": 0.1, "betas": [0.8, 0.95], "eps": 1e-30})):
        start = real(8, 3, grad=False)
        layer = torch.nn.Embedding.from_pretrained(start.tensor.clone(), freeze=False, sparse=True)
        named = {**args, "betas": tuple(args["betas"])} if "betas" in args else args
        optimizer = table[name](layer.parameters(), **named)
        for step in range(5):
            optimizer.zero_grad()
            index = torch.tensor(rows[step:])
            layer(index).backward(quantised(71 + step, (len(index), 3)))
            optimizer.step()
        cases.append({"op": "sparse_optimizer." + name, "args": {**args, "rows": rows}, "inputs": [start.written], "output": written(layer.weight)})


def norms():
    def added(x, r, *parameters, **named):
        return F.layer_norm(x + r, x.shape[-1:], *parameters, **named)

    def plain(x, *parameters, **named):
        return F.layer_norm(x, x.shape[-1:], *parameters, **named)
    for shape in ((3, 5), (2, 3, 4), (7,), (2, 70)):
        for named in ({}, {"eps": 0.1}):
            case("layer_norm", [real(*shape), real(shape[-1]), real(shape[-1])], lambda *x: plain(*x, **named), **named)
        case("layer_norm", [real(*shape)], plain)
        case("add_layer_norm", [real(*shape), real(*shape), real(shape[-1]), real(shape[-1])], added)
        case("bias_gelu", [real(*shape, scale=4), real(shape[-1], scale=4)], lambda x, b: F.gelu(x + b))
    case("layer_norm", [given([3.0] * 4 + [1e3, 1e3 + 1, 1e3 - 1, 1e3], [2, 4]), real(4), real(4)], plain)
    case("twice.layer_norm", [real(3, 5), real(5), real(5)], penalty(plain))
    case("twice.add_layer_norm", [real(3, 5), real(3, 5), real(5), real(5)], penalty(added))
    case("twice.bias_gelu", [real(3, 5, scale=4), real(5)], penalty(lambda x, b: F.gelu(x + b)))


def norms_of_batches():
    def embedded(word, position, kind, ids, positions, types, weight, bias, eps=1e-12):
        return F.layer_norm(F.embedding(ids, word) + F.embedding(positions, position) + F.embedding(types, kind), weight.shape, weight, bias, eps)
    for index in (([3, 0, 3, 1], [0, 1, 2, 3], [0, 0, 1, 1]), ([[4, 1, 4], [0, 2, 2]], [[0, 1, 2], [0, 1, 2]], [[0, 1, 1], [0, 0, 0]])):
        tables = [real(5, 6), real(4, 6), real(2, 6)]
        case("embedding_layer_norm", [*tables, *map(whole, index), real(6), real(6)], embedded)
        case("embedding_layer_norm", [*tables, *map(whole, index), real(6), real(6)], lambda *x: embedded(*x, eps=0.1), eps=0.1)
        case("twice.embedding_layer_norm", [*tables, *map(whole, index), real(6), real(6)], penalty(embedded))

    def normalised(x, mean, variance, *parameters, **named):
        return F.batch_norm(x, mean.clone(), variance.clone(), *parameters, **named)

    def followed(x, mean, variance, **named):
        mean, variance = mean.clone(), variance.clone()
        F.batch_norm(x, mean, variance, training=True, **named)
        F.batch_norm(x * 2, mean, variance, training=True, **named)
        return torch.cat([mean, variance])
    for shape in ((6, 3), (2, 3, 5), (2, 3, 2, 4)):
        running = [real(3, grad=False), real(3, offset=2.5, grad=False)]
        for args in ({"training": True}, {"training": True, "eps": 0.1}, {"training": False}, {"training": False, "eps": 0.1}):
            case("batch_norm", [real(*shape), *running, real(3), real(3)], lambda *x: normalised(*x, **args), **args)
            case("batch_norm", [real(*shape), *running], lambda *x: normalised(*x, **args), **args)
            case("twice.batch_norm", [real(*shape), *running, real(3), real(3)], penalty(lambda *x: normalised(*x, **args)), **args)
        for momentum in (0.1, 0.75):
            case("running_statistics", [real(*shape, grad=False), *running], lambda *x: followed(*x, momentum=momentum), momentum=momentum)


for part in (elementwise, binary, reductions, matrices, convolutions, pooling, losses, joining, second_derivatives, first_optimisers, schedules, clipping, promotion, adagrad, sparse_optimisers, norms, norms_of_batches):
    part()
path = pathlib.Path(__file__).with_suffix(".jsonl")
with path.open("w") as file:
    print(json.dumps({"torch": torch.__version__.split("+")[0], "numpy": np.__version__, "python": platform.python_version(), "cases": len(cases)}), file=file)
    for entry in cases:
        print(json.dumps(entry), file=file)
print(len(cases), "cases,", path.stat().st_size, "bytes")
