"""The peer of projections: the value vectors of one layer times the head, in chunks, with topk at both ends; what a careful
user of eager PyTorch writes, as the whole product of GPT-2 small would take 7 GB.

  python3 values.py CHECKPOINT_DIRECTORY THREADS|cuda SECONDS

Prints first {"top": the strongest token of L3D42}, then a line for each chunk size: {"chunk", "milliseconds" for one layer}.
"""
import json, sys
import torch
from gpt2 import Gpt2, now, use

CHUNKS = (128, 512, 1024, 3072)
K = 50


def main():
    directory, where, seconds = sys.argv[1:]
    use(where)
    model = Gpt2(directory)
    values = [model.w[f"h.{l}.mlp.c_proj.weight"] for l in range(model.L)]
    print(json.dumps({"top": int((values[3][42] @ model.head.T).argmax())}), flush=True)
    for chunk in CHUNKS:
        def job(layer):
            found = []
            for part in values[layer].split(chunk):
                products = part @ model.head.T
                found.append((*products.topk(K), *products.topk(K, largest=False)))
            return found
        job(0)
        times, end = [], now() + float(seconds)
        while len(times) < 2 or now() < end:
            start = now()
            job(len(times) % model.L)
            times.append(now() - start)
        print(json.dumps({"chunk": chunk, "milliseconds": 1e3 * sorted(times)[len(times) // 2]}), flush=True)


main()
