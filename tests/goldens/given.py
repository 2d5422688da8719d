"""The batches of digits-like images that the models' goldens are trained on, as given.h makes them."""
import numpy as np
import torch

from counter import bits

BATCH = 64


def batch(step):
    """Images [64, 1, 28, 28] and labels: each class lights up cells of 4x4 pixels, two pixels of sixteen flipped by noise; dark is -1, as in MNIST."""
    labels = bits(1000 + step, BATCH) >> np.uint64(33)
    labels = labels % np.uint64(10)
    noise = (bits(2000 + step, BATCH * 784) >> np.uint64(40)).reshape(BATCH, 784)
    pixel = np.arange(784, dtype=np.uint64)
    cell = (pixel // np.uint64(28) // np.uint64(4)) * np.uint64(7) + pixel % np.uint64(28) // np.uint64(4)
    lit = bits(3000, 490)[labels[:, None] * np.uint64(49) + cell[None, :]] % np.uint64(3) == 0
    spot = noise % np.uint64(16) < 2
    byte = np.where(lit ^ spot, np.uint64(100) + noise // np.uint64(16) % np.uint64(156), np.uint64(0)).astype(np.float32)
    images = (byte / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    return torch.tensor(images.reshape(BATCH, 1, 28, 28)), torch.tensor(labels.astype(np.int64))
