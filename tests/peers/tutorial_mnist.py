"""The tutorial's MNIST program in PyTorch, from the start of its process to its end: the peer of `mnist_cnn --epochs 5`.

    python3 tutorial_mnist.py --data DIR               # the tutorial's own program, with torchvision's DataLoader
    LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1 \\
    python3 tutorial_mnist.py --data DIR --in-memory   # PyTorch at its best: data in memory, channels_last, fused Adam
    ... --in-memory --compile                          # the same with torch.compile

Prints one JSON line: the seconds since the process started (imports included), and how many test images are right, which
is counted after the clock has stopped.
"""
import argparse
import json
import os
import pathlib
import tempfile
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

from tutorial import FILES, SimpleCNN, count_correct, mnist, unpacked


def since_start():
    ticks = int(pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def as_torchvision_wants(folder):
    """The files where datasets.MNIST looks for what it has downloaded; made once, beside other temporary files."""
    root = pathlib.Path(tempfile.gettempdir()) / "percale-peers-mnist"
    (root / "MNIST/raw").mkdir(parents=True, exist_ok=True)
    for name in sum(FILES.values(), ()):
        if not (root / "MNIST/raw" / name).exists():
            (root / "MNIST/raw" / name).write_bytes(unpacked(folder, name))
    return root


def tutorial(root, epochs):
    """Word for word, but for the folder of the data."""
    from torchvision import datasets, transforms
    from torch.utils.data import DataLoader
    transform = transforms.Compose([
        transforms.ToTensor(),
        transforms.Normalize((0.5,), (0.5,))
    ])

    train_dataset = datasets.MNIST(root=root, train=True, download=False, transform=transform)
    train_loader = DataLoader(train_dataset, batch_size=64, shuffle=True)

    model = SimpleCNN()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.001)

    for epoch in range(epochs):
        for data, target in train_loader:
            optimizer.zero_grad()
            output, _ = model(data)
            loss = criterion(output, target)
            loss.backward()
            optimizer.step()

    model.eval()
    with torch.no_grad():
        for data, _ in train_loader:
            _, embeddings = model(data)
            print(embeddings.shape)
            print(embeddings[1])
            break
    return model


def in_memory(folder, epochs, compiled):
    x, y = mnist(folder, "train")
    x = x.to(memory_format=torch.channels_last)
    model = SimpleCNN().to(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model
    optimizer = optim.Adam(model.parameters(), lr=0.001, fused=True)
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(run(x[rows])[0], y[rows]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        embeddings = model(x[:64])[1]
        print(embeddings.shape)
        print(embeddings[1])
    return model


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", required=True, help="folder with MNIST's four IDX files, packed or not")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--in-memory", action="store_true")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)

if args.in_memory:
    model = in_memory(args.data, args.epochs, args.compile)
else:
    model = tutorial(as_torchvision_wants(args.data), args.epochs)
seconds = since_start()
name = "mnist.in_memory" + ".compiled" * args.compile if args.in_memory else "mnist.tutorial"
print(json.dumps({"case": name, "epochs": args.epochs, "s": round(seconds, 2), "correct": count_correct(model, args.data), "of": 10000,
                  "threads": args.threads, "torch": torch.__version__}))
