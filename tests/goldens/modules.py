"""Modules as PyTorch prints them and as torchinfo tables them, written to modules.json.

    python3 modules.py      # needs torch and torchinfo

Under Python 3.11 and later torchinfo writes `Units.MEGABYTES` where its documentation has `M`; the file has `M`.
"""
import json
import pathlib
import platform
import sys

import torch
import torch.nn as nn
import torchinfo

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from tutorial import SimpleCNN


class Autoencoder(nn.Module):
    """With a frozen encoder."""
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 6))
        self.decoder = nn.Sequential(nn.Linear(6, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid())
        self.encoder.requires_grad_(False)

    def forward(self, x):
        return self.decoder(torch.sigmoid(self.encoder(x)))


class Odd(nn.Module):
    """A parameter of its own, a part used twice, parts within parts, one never used, a list, a long name."""
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))
        self.shared = nn.Linear(5, 5)
        self.blocks = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(5, 5, bias=False), nn.ReLU()), nn.Tanh()), nn.Dropout(0.1))
        self.unused = nn.Linear(3, 3)
        self.layers = nn.ModuleList([nn.Linear(5, 5), nn.Linear(5, 2000)])
        self.last = ALayerWithANameSoLongThatTheColumnGrows()

    def forward(self, x):
        x = self.shared(self.shared(x * self.scale))
        x = self.blocks(x)
        for layer in self.layers:
            x = layer(x)
        return self.last(x)


class ALayerWithANameSoLongThatTheColumnGrows(nn.Module):
    def forward(self, x):
        return x


def strided():
    """An image to 128 numbers."""
    return nn.Sequential(nn.Conv2d(3, 32, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
                         nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 128))


def every_layer():
    return nn.Sequential(
        nn.Conv2d(1, 2, (3, 5), stride=2, padding=(1, 2), dilation=2, bias=False), nn.Conv2d(4, 8, 3, groups=2), nn.GELU(), nn.GELU("tanh"),
        nn.MaxPool2d(2), nn.MaxPool2d((2, 3), stride=1, padding=1), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AvgPool2d(2),
        nn.AvgPool2d((2, 2), stride=(1, 1), padding=1), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(),
        nn.Flatten(0, 2), nn.Dropout(0.25), nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.Identity(), nn.Linear(5, 10), nn.Linear(5, 10, bias=False),
        nn.Sequential())


def normalising():
    """Buffers are saved, and are no parameters."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(8, 16), nn.BatchNorm1d(16, eps=1e-3, momentum=0.01), nn.LayerNorm(16), nn.GELU(), nn.LayerNorm(16, eps=1e-12, bias=False),
                         nn.LayerNorm(16, elementwise_affine=False), nn.BatchNorm1d(16, affine=False), nn.BatchNorm1d(16, track_running_stats=False))


def repeated():
    """Blocks that repeat themselves are counted."""
    return nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(12)] + [nn.Sequential()] * 2 + [nn.Sequential(nn.Tanh())])


cases = {}
for name, model, shape in (("SimpleCNN", SimpleCNN(), (64, 1, 28, 28)), ("SimpleCNN one", SimpleCNN(), (1, 1, 28, 28)),
                           ("Autoencoder", Autoencoder(), (32, 784)), ("Odd", Odd(), (7, 5)), ("strided", strided(), (8, 3, 600, 800)),
                           ("every layer", every_layer(), None), ("normalising", normalising(), (5, 3, 9, 12)),
                           ("repeated", repeated(), None), ("Embedding", nn.Embedding(30, 8, padding_idx=2), (7, 5)),
                           ("EmbeddingBag", nn.EmbeddingBag(30, 8, mode="max"), (7, 5))):
    cases[name] = {"repr": repr(model)}
    if shape:
        dtypes = [torch.long] if name.startswith("Embedding") else None
        cases[name] |= {"shape": shape, "summary": str(torchinfo.summary(model, shape, dtypes=dtypes, verbose=0)).replace("Units.MEGABYTES", "M").replace("Units.GIGABYTES", "G")}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"torch": torch.__version__.split("+")[0], "torchinfo": torchinfo.__version__, "python": platform.python_version(),
                            "cases": cases}, indent=1, ensure_ascii=False) + "\n")
print(path.stat().st_size, "bytes")
