"""Numbers by counter: what counter.h gives, bit for bit, so that goldens need hold no inputs."""
import numpy as np


def bits(stream, count):
    """splitmix64 of (stream, 0), (stream, 1), ... as uint64."""
    with np.errstate(over="ignore"):
        z = (np.uint64(stream) << np.uint64(40)) + np.arange(count, dtype=np.uint64)
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(stream, count):
    """Multiples of 2^-23 in [-1, 1), exact in f32."""
    return (bits(stream, count) >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def projections(values):
    """64 sums of all the values, each with signs of its own: the bits of stream 7777."""
    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    signs = bits(7777, flat.size)
    return [float(np.sum(np.where(signs >> np.uint64(bit) & np.uint64(1), flat, -flat))) for bit in range(64)]
