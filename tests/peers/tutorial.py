"""The tutorial's SimpleCNN, and MNIST's files as tensors: what the scripts beside this share."""
import gzip
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}


class SimpleCNN(nn.Module):
    def __init__(self):
        super(SimpleCNN, self).__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(64*7*7, 128)
        self.fc2 = nn.Linear(128, 10)  # Assuming 10 classes for classification

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(x, 2)
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = x.reshape(-1, 64*7*7)
        x = F.relu(self.fc1(x))
        embeddings = x  # This is the layer before the last
        x = self.fc2(embeddings)
        return x, embeddings


def unpacked(folder, name):
    """The bytes of an IDX file, which may be packed."""
    path = pathlib.Path(folder) / name
    return path.read_bytes() if path.exists() else gzip.decompress(path.with_name(name + ".gz").read_bytes())


def mnist(folder, part):
    """Images [N, 1, 28, 28], normalised as the tutorial does, and labels [N]."""
    images, labels = (unpacked(folder, name) for name in FILES[part])
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    x = (torch.from_numpy(pixels.copy()).float() / 255 - 0.5) / 0.5
    return x, torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).copy()).long()


def count_correct(model, folder):
    """How many of MNIST's test images the model names rightly."""
    x, y = mnist(folder, "test")
    model.eval()
    with torch.no_grad():
        return sum(int((model(images)[0].argmax(1) == labels).sum()) for images, labels in zip(x.split(1000), y.split(1000)))
