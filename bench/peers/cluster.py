"""The peer of clusters: SciPy's complete linkage on cosine distance of the first value vectors of a checkpoint.

  python3 cluster.py CHECKPOINT_DIRECTORY VECTORS…

Prints a line for each number of vectors: {"vectors", "seconds", "bytes" of the distances}. SciPy's time grows with the
square of the number, as does its memory: distances are doubles, of each pair once.
"""
import json, sys, time
import numpy, torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from gpt2 import Gpt2, use


def main():
    directory, *numbers = sys.argv[1:]
    use("2")
    model = Gpt2(directory)
    values = torch.cat([model.w[f"h.{l}.mlp.c_proj.weight"] for l in range(model.L)])
    for n in map(int, numbers):
        start = time.perf_counter()
        unit = torch.nn.functional.normalize(values[:n], dim=1).numpy()
        distances = 1 - unit @ unit.T
        numpy.fill_diagonal(distances, 0)
        pairs = squareform(distances, checks=False).astype(numpy.float64)
        fcluster(linkage(pairs, "complete"), n // 12, "maxclust")
        print(json.dumps({"vectors": n, "seconds": time.perf_counter() - start, "bytes": 8 * len(pairs)}), flush=True)


main()
