"""faiss-cpu's side of the row nearest_neighbours.10kx100kx128.top10: exact search by IndexFlatIP, a JSON line.

    pip install faiss-cpu && python3 faiss_neighbours.py [--threads 2] [--calls 5]
"""
import argparse, json, statistics, time
import faiss, numpy

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--calls", type=int, default=5)
args = parser.parse_args()
faiss.omp_set_num_threads(args.threads)
generator = numpy.random.default_rng(7)
queries = generator.standard_normal((10_000, 128), dtype=numpy.float32)
rows = generator.standard_normal((100_000, 128), dtype=numpy.float32)
index = faiss.IndexFlatIP(128)
index.add(rows)
times = []
for call in range(args.calls + 1):
    start = time.perf_counter()
    index.search(queries, 10)
    times.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"case": "nearest_neighbours.10kx100kx128.top10", "ms": statistics.median(times[1:]),
                  "best_ms": min(times[1:]), "faiss": faiss.__version__, "threads": args.threads}))
