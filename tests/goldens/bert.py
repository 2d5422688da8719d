"""A BERT of two layers in f64 by Hugging Face's BertModel: what it gives for a padded batch, and the gradient of every
parameter, written to bert.json.

    python3 bert.py      # needs torch and transformers; prints how far PyTorch's own f32 is from its f64

Weights and the loss's coefficients come from counter.py's formula, rounded to f32, so the file holds results only.
"""
import json
import pathlib

import numpy as np
import torch
import transformers
from transformers import BertConfig, BertModel

from counter import bits, projections, uniform

SIZES = dict(vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
             max_position_embeddings=16, type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=0)
ROWS, LENGTH = 4, 7
# Whole, padded behind, one token alone, and padded in front and within.
MASK = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 1, 1]])
IDS = torch.tensor((bits(10, ROWS * LENGTH) >> np.uint64(33)).astype(np.int64) % 60 + 1).reshape(ROWS, LENGTH)
TYPES = torch.tensor((bits(11, ROWS * LENGTH) >> np.uint64(33)).astype(np.int64) % 2).reshape(ROWS, LENGTH)


def given(stream, shape, scale):
    count = int(np.prod(shape))
    return torch.tensor((uniform(stream, count) * scale).astype(np.float32)).reshape(tuple(shape))


def weights(model):
    """Stream 100 + i for the i-th name in order; a norm's weights are around 1."""
    state = {}
    for i, name in enumerate(sorted(name for name, _ in model.named_parameters())):
        shape = dict(model.named_parameters())[name].shape
        if "LayerNorm.weight" in name:
            state[name] = 1 + given(100 + i, shape, .25)
        else:
            state[name] = given(100 + i, shape, .25 if len(shape) == 1 else .5)
    return state


def run(dtype, activation):
    model = BertModel(BertConfig(**SIZES, hidden_act=activation, attn_implementation="eager"))
    model.load_state_dict(weights(model), strict=False)
    model = model.to(dtype).eval()
    out = model(input_ids=IDS, attention_mask=MASK, token_type_ids=TYPES, output_hidden_states=True, output_attentions=True)
    kept = MASK[..., None].to(dtype)
    loss = (out.last_hidden_state * given(20, out.last_hidden_state.shape, 1).to(dtype) * kept).sum()
    # The last row has no token in front, of which Hugging Face's pooler would make something.
    loss = loss + (out.pooler_output * given(21, out.pooler_output.shape, 1).to(dtype))[:3].sum()
    loss.backward()
    results = {"last_hidden_state": out.last_hidden_state * kept, "pooler_output": out.pooler_output[:3],
               "first_hidden_state": out.hidden_states[1] * kept,
               "attention": out.attentions[1] * kept[:, None] * kept[:, None].transpose(2, 3)}
    gradients = {name: p.grad.double().numpy() for name, p in model.named_parameters()}
    return {name: t.detach().double().numpy() for name, t in results.items()}, gradients


def distance(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


golden = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__, "config": SIZES}
for activation in ("gelu", "gelu_new"):
    results, gradients = run(torch.float64, activation)
    results32, gradients32 = run(torch.float32, activation)
    print(activation, "PyTorch's f32 differs by", max(distance(results32[n], results[n]) for n in results), "and gradients by",
          max(distance(gradients32[n], gradients[n]) for n in gradients if "key.bias" not in n))
    golden[activation] = {
        "results": {n: [round(float(v), 12) for v in t.reshape(-1)] for n, t in results.items()} if activation == "gelu" else
                   {"last_hidden_state": [round(float(v), 12) for v in results["last_hidden_state"].reshape(-1)]},
        "gradients": {n: {"norm": float(np.linalg.norm(g)), "projections": projections(g)} for n, g in gradients.items()}
                     if activation == "gelu" else {}}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, indent=0) + "\n")
print(path.stat().st_size, "bytes")
