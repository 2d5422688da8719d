"""PyTorch's side of `percale_bench image_encoder.b8`: a training step from 600 x 800 x 3 images to 128 numbers.

    python3 image_encoder.py [--threads N] [--seconds S] [case ...]
    LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 image_encoder.py

The model is nn/models/image_encoder.h; the loss is the mean squared distance from given vectors; Adam.
"""
import functools

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import parser_of, print_timings


class ImageEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, stride=4, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.fc = nn.Linear(128, 128)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(conv(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def training_step(channels_last=False, fused=False, compiled=False):
    model, x, target = ImageEncoder(), torch.randn(8, 3, 600, 800), torch.randn(8, 128)
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)

    def step():
        optimizer.zero_grad()
        F.mse_loss(run(x), target).backward()
        optimizer.step()
    return step


WAYS = {
    "image_encoder.b8": {},
    "image_encoder.b8.channels_last": {"channels_last": True},
    "image_encoder.b8.fused": {"fused": True},
    "image_encoder.b8.channels_last.fused": {"channels_last": True, "fused": True},
    "image_encoder.b8.compiled": {"fused": True, "compiled": True},
    "image_encoder.b8.compiled.channels_last": {"channels_last": True, "fused": True, "compiled": True},
}
print_timings({name: functools.partial(training_step, **ways) for name, ways in WAYS.items()}, parser_of(__doc__, 4.0).parse_args())
