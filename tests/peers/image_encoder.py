"""PyTorch's side of `percale_bench image_encoder.b8`: a training step from 600 x 800 x 3 images to 128 numbers.

    python3 image_encoder.py [--threads N] [--seconds S] [case ...]
    LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 python3 image_encoder.py

One JSON line a case, the median time of a call in milliseconds after a warm-up, as torch_cpu.py prints them. The model is
nn/models/image_encoder.h; the loss is the mean squared distance from given vectors; Adam.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("cases", nargs="*")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=4.0)
args = parser.parse_args()
torch.set_num_threads(args.threads)


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


def median_ms(call):
    for _ in range(5):
        call()
    times, end = [], time.perf_counter() + args.seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def training_step(channels_last=False, fused=False, compiled=False):
    torch.manual_seed(0)
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


cases = {
    "image_encoder.b8": {},
    "image_encoder.b8.channels_last": {"channels_last": True},
    "image_encoder.b8.fused": {"fused": True},
    "image_encoder.b8.channels_last.fused": {"channels_last": True, "fused": True},
    "image_encoder.b8.compiled": {"fused": True, "compiled": True},
    "image_encoder.b8.compiled.channels_last": {"channels_last": True, "fused": True, "compiled": True},
}
for name, ways in cases.items():
    if args.cases and name not in args.cases:
        continue
    try:
        print(json.dumps({"case": name, "ms": round(median_ms(training_step(**ways)), 4), "threads": args.threads,
                          "torch": torch.__version__}), flush=True)
    except Exception as error:  # a way that this PyTorch or machine lacks
        print(json.dumps({"case": name, "error": str(error).splitlines()[0]}), flush=True)
