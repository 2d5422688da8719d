"""The perplexity of an interpolated modified Kneser-Ney model: what `word_vectors --model next-word` is to beat.

    python3 kneser_ney.py train.txt valid.txt [--order 5]

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998), equations 21 to 27. Words
stand between white space, <eos> at the end of each line; what stands before a word may stand in the line before, as for
word_vectors. The vocabulary is that of the training text, and every word of the other must be in it. Prints one JSON line.
"""
import argparse
import json

import numpy as np


def read(path):
    with open(path, encoding="utf-8") as text:
        return [word for line in text for word in line.split() + ["<eos>"]]


def adjusted_counts(train, order, size):
    """For each order: sorted keys (prefix's number * size + word) of its n-grams, their counts, and their prefixes."""
    number = np.zeros(len(train) + 1, np.int64)  # of the (k-1)-gram that begins at a position
    grams = []
    for k in range(1, order + 1):
        starts = len(train) - k + 1
        key = number[:starts] * size + train[k - 1 :]
        keys, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
        first = np.zeros(len(keys), np.int64)
        first[inverse] = np.arange(starts)  # a position where it stands
        grams.append({"keys": keys, "counts": counts, "prefix": keys // size, "first": first})
        grams[-1]["numbers"] = inverse
        number = inverse
    for k in range(1, order):  # lower orders: in how many contexts, not how often
        longer = grams[k]
        suffix = grams[k - 1]["numbers"][longer["first"] + 1]
        grams[k - 1]["counts"] = np.bincount(suffix, minlength=len(grams[k - 1]["keys"]))
    return grams


def discounts(counts):
    n1, n2, n3, n4 = [np.count_nonzero(counts == i) for i in (1, 2, 3, 4)]
    y = n1 / (n1 + 2 * n2)
    return np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])


def find(keys, wanted):
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((keys[at] == wanted) & (wanted >= 0), at, -1)


def log_probabilities(train, valid, order, size):
    grams = adjusted_counts(train, order, size)
    before = np.zeros(len(valid), np.int64)  # number of the words before, of which there are none yet
    probability = np.full(len(valid), 1 / size)
    for k, gram in enumerate(grams, 1):
        discount = discounts(gram["counts"])
        prefixes = len(grams[k - 2]["keys"]) if k > 1 else 1
        each = discount[np.minimum(gram["counts"], 3)]
        total = np.bincount(gram["prefix"], gram["counts"], prefixes)
        held = np.bincount(gram["prefix"], each, prefixes)
        # the (k-1)-gram that ends before each word, and the k-gram that ends with it
        context = np.zeros(len(valid), np.int64) if k == 1 else np.concatenate([[-1], before[:-1]])
        known = (context >= 0) & (total[context] > 0)
        here = find(gram["keys"], np.where(known, context * size + valid, -1))
        share = np.where(here >= 0, gram["counts"][here] - each[here], 0)
        mixed = (share + held[context] * probability) / np.where(known, total[context], 1)
        probability = np.where(known, mixed, probability)
        before = here
    return np.log(probability)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("--order", type=int, default=5)
    args = parser.parse_args()
    train, valid = read(args.train), read(args.valid)
    number = {word: i for i, word in enumerate(sorted(set(train)))}
    logs = log_probabilities(np.array([number[word] for word in train]), np.array([number[word] for word in valid]),
                             args.order, len(number))
    print(json.dumps({"model": f"Kneser-Ney {args.order}-gram", "vocabulary": len(number), "valid_words": len(valid),
                      "perplexity": round(float(np.exp(-logs.mean())), 2)}))


if __name__ == "__main__":
    main()
