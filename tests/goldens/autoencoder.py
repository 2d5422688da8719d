"""The tutorial's auto-encoder in f64 by PyTorch: 100 Adam steps from given weights on given batches, written to autoencoder.json.

    python3 autoencoder.py      # needs torch; prints how far PyTorch's own f32 is from its f64

Weights and images come from counter.py's formula, so the file holds results only. Both are rounded to f32 first, so that
f32 and f64 start from the same numbers.
"""
import json
import pathlib
import platform

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from counter import projections, uniform
from given import batch

STEPS = 100
SIZES = [784, 128, 64, 12, 6, 12, 64, 128, 784]


class Autoencoder(nn.Module):
    """The tutorial's."""
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(28 * 28, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
                                     nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 6))
        self.decoder = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 64), nn.ReLU(),
                                     nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 28 * 28), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(F.sigmoid(self.encoder(x)))


def weights(model):
    """PyTorch's own distribution: uniform in +-1/sqrt(fan_in)."""
    return {name: torch.tensor((uniform(220 + i, p.numel()) / np.sqrt(SIZES[i // 2])).astype(np.float32).reshape(tuple(p.shape)))
            for i, (name, p) in enumerate(model.named_parameters())}


def run(dtype):
    model = Autoencoder()
    model.load_state_dict(weights(model))
    model = model.to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    losses = []
    for step in range(STEPS):
        inputs = batch(step)[0].reshape(-1, 784).to(dtype)
        loss = F.mse_loss(model(inputs), inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    tensors = {name: p.detach().double().numpy().reshape(-1) for name, p in model.named_parameters()}
    return losses, tensors


losses, parameters = run(torch.float64)
losses32, parameters32 = run(torch.float32)
spread = {"loss": max(abs(a - b) / a for a, b in zip(losses, losses32)),
          "parameter": max(float(np.linalg.norm(p - parameters32[name]) / np.linalg.norm(p)) for name, p in parameters.items())}
print("losses", losses[0], "to", losses[-1], "; PyTorch's f32 differs by", spread)
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"torch": torch.__version__.split("+")[0], "numpy": np.__version__, "python": platform.python_version(),
                            "torch_f32_differs_by": spread, "losses": losses,
                            "parameter": {name: {"norm": float(np.linalg.norm(p)), "projections": projections(p)}
                                          for name, p in parameters.items()}}, indent=0) + "\n")
print(path.stat().st_size, "bytes")
