"""Scores weights on MNIST's test images with PyTorch: those that `mnist_cnn --save` wrote must fit without a word.

    mnist_cnn --data DIR --save cnn.safetensors
    python3 score.py cnn.safetensors --data DIR       # prints {"correct": ..., "of": 10000}
"""
import argparse
import json

from safetensors.torch import load_file

from tutorial import SimpleCNN, count_correct

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("weights")
parser.add_argument("--data", required=True, help="folder with MNIST's four IDX files, packed or not")
args = parser.parse_args()

model = SimpleCNN()
model.load_state_dict(load_file(args.weights), strict=True)
print(json.dumps({"correct": count_correct(model, args.data), "of": 10000}))
