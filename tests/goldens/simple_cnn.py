"""SimpleCNN in f64 by PyTorch: 20 Adam steps from given weights on given batches, written to simple_cnn.json.

    python3 simple_cnn.py      # needs torch; prints how far PyTorch's own f32 is from its f64

Weights, images and labels come from counter.py's formula, so the file holds results only. Of each tensor it keeps the
norm, 64 projections (from which the norm of a difference is told, see counter.h) and some entries. Weights and images are
rounded to f32 first, so that f32 and f64 start from the same numbers.

The streams are chosen: with these, no unit of fc1 that hardly ever fires stands so near 0 that f32's rounding turns it on
or off, which Adam would blow up to a whole step. Twelve runs of PyTorch's f32 from weights disturbed by 6e-8 and 1.2e-7
stayed within 7e-6 (losses), 1.9e-5 (parameters) and 4.1e-5 (moments) of f64; other streams gave up to 1e-3.
"""
import json
import pathlib
import platform
import sys

import numpy as np
import torch
import torch.nn.functional as F

from counter import projections, uniform
from given import batch

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from tutorial import SimpleCNN

STEPS, SHOWN = 20, 16
SHAPES = {"conv1.weight": (32, 1, 3, 3), "conv1.bias": (32,), "conv2.weight": (64, 32, 3, 3), "conv2.bias": (64,),
          "fc1.weight": (128, 3136), "fc1.bias": (128,), "fc2.weight": (10, 128), "fc2.bias": (10,)}
FAN_IN = {"conv1": 9, "conv2": 288, "fc1": 3136, "fc2": 128}


def weights():
    """PyTorch's own distribution: uniform in +-1/sqrt(fan_in)."""
    return {name: torch.tensor((uniform(120 + i, int(np.prod(shape))) / np.sqrt(FAN_IN[name.split(".")[0]])).astype(np.float32).reshape(shape))
            for i, (name, shape) in enumerate(SHAPES.items())}


def run(dtype):
    model = SimpleCNN()
    model.load_state_dict(weights())
    model = model.to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses, first = [], {}
    for step in range(STEPS):
        images, labels = batch(step)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images.to(dtype))[0], labels)
        loss.backward()
        if step == 0:
            first = {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    tensors = {"gradient": first, "parameter": dict(model.named_parameters())}
    for moment in ("exp_avg", "exp_avg_sq"):
        tensors[moment] = {name: optimizer.state[p][moment] for name, p in model.named_parameters()}
    return losses, {kind: {name: t.detach().double().numpy() for name, t in group.items()} for kind, group in tensors.items()}


def summary(tensor):
    flat = tensor.reshape(-1)
    stride = max(1, flat.size // SHOWN)
    return {"norm": float(np.linalg.norm(flat)), "projections": projections(flat), "stride": stride, "entries": flat[::stride].tolist()}


losses, tensors = run(torch.float64)
losses32, tensors32 = run(torch.float32)
spread = {kind: max(float(np.linalg.norm(group[name] - tensors32[kind][name]) / np.linalg.norm(group[name])) for name in group)
          for kind, group in tensors.items()}
spread["loss"] = max(abs(a - b) / a for a, b in zip(losses, losses32))
print("losses", losses[0], "to", losses[-1], "; PyTorch's f32 differs by", spread)
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"torch": torch.__version__.split("+")[0], "numpy": np.__version__, "python": platform.python_version(),
                            "torch_f32_differs_by": spread, "losses": losses,
                            **{kind: {name: summary(t) for name, t in group.items()} for kind, group in tensors.items()}}, indent=0) + "\n")
print(path.stat().st_size, "bytes")
