"""Trains SimpleCNN with PyTorch and saves it as safetensors, for `mnist_cnn --load` to score: the reverse of score.py.

    python3 train.py torch.safetensors --data DIR     # prints {"correct": ..., "of": 10000}
    mnist_cnn --data DIR --load torch.safetensors --epochs 0
"""
import argparse
import json

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from tutorial import SimpleCNN, count_correct, mnist

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("weights")
parser.add_argument("--data", required=True, help="folder with MNIST's four IDX files, packed or not")
parser.add_argument("--steps", type=int, default=938)
args = parser.parse_args()

torch.manual_seed(0)
model = SimpleCNN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
x, y = mnist(args.data, "train")
for rows in torch.randperm(len(x)).split(64)[:args.steps]:
    optimizer.zero_grad()
    F.cross_entropy(model(x[rows])[0], y[rows]).backward()
    optimizer.step()
save_file(model.state_dict(), args.weights)
print(json.dumps({"correct": count_correct(model, args.data), "of": 10000}))
