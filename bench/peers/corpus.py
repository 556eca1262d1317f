"""The peer of a pass over a corpus: batched forwards without the head, as a careful user of eager PyTorch writes it; of each
neuron count, sum, sum of squares, extremes, share above zero and the 20 largest coefficients, one of each document.

  python3 corpus.py CHECKPOINT_DIRECTORY THREADS|cuda fp32|tf32|bf16 SECONDS WINDOW TOKENS

Prints first {"sum": of layer 5's mean coefficients, "largest": of L3D42, "megabytes": of the sums}, then a line for each
batch size: {"batch", "milliseconds" for all tokens}. Each document is one window. Batches are drawn until the time is up.
"""
import json, sys
import torch
import torch.nn.functional as F
from gpt2 import Gpt2, now, use

K = 20
BATCHES = (4096, 16384, 65536) if torch.cuda.is_available() else (1024, 2048, 4096)  # tokens


class Statistics:
    def __init__(self, layers, f, device):
        def new(*shape, dtype=torch.float64, value=0):
            return torch.full((layers, *shape), value, dtype=dtype, device=device)
        self.count, self.sum, self.square = 0, new(f), new(f)
        self.min, self.max = new(f, dtype=torch.float32, value=float("inf")), new(f, dtype=torch.float32, value=float("-inf"))
        self.positive = new(f, dtype=torch.int64)
        self.best = new(K, f, dtype=torch.float32, value=float("-inf"))
        self.where = new(K, f, dtype=torch.int64, value=-1)

    def add(self, l, m, first):
        """m [B, T, f]; first: number of the first document."""
        flat = m.reshape(-1, m.shape[-1])
        self.sum[l] += flat.sum(0, dtype=torch.float64)
        self.square[l] += (flat * flat).sum(0, dtype=torch.float64)
        self.positive[l] += (flat > 0).sum(0)
        high, at = m.max(1)
        self.min[l] = torch.minimum(self.min[l], m.amin((0, 1)))
        self.max[l] = torch.maximum(self.max[l], high.amax(0))
        documents = torch.arange(first, first + m.shape[0], device=m.device)[:, None]
        values = torch.cat([self.best[l], high])
        places = torch.cat([self.where[l], documents * m.shape[1] + at])
        self.best[l], chosen = values.topk(K, 0)
        self.where[l] = places.gather(0, chosen)

    def megabytes(self):
        return sum(t.numel() * t.element_size() for t in vars(self).values() if torch.is_tensor(t)) / 1e6


class Passing(Gpt2):
    def add(self, ids, statistics, first):
        """ids [B, T]"""
        w, (B, T) = self.w, ids.shape
        x = w["wte.weight"][ids] + w["wpe.weight"][:T]
        mask = torch.full((T, T), float("-inf")).triu(1)
        for l in range(self.L):
            p = f"h.{l}."
            qkv = self.linear(self.ln(x, p + "ln_1"), p + "attn.c_attn")
            q, k, v = (t.view(B, T, self.H, -1).transpose(1, 2) for t in qkv.split(self.d, 2))
            z = self.attend(q, k, v, mask)
            x = x + self.linear(z.transpose(1, 2).reshape(B, T, self.d), p + "attn.c_proj")
            m = F.gelu(self.linear(self.ln(x, p + "ln_2"), p + "mlp.c_fc"), approximate="tanh")
            statistics.add(l, m, first)
            x = x + self.linear(m, p + "mlp.c_proj")
        statistics.count += B * T

    def linear(self, x, name):
        flat = torch.addmm(self.w[name + ".bias"], x.reshape(-1, x.shape[-1]), self.w[name + ".weight"])
        return flat.view(*x.shape[:-1], -1)


def main():
    directory, where, precision, seconds, window, tokens = sys.argv[1:]
    use(where, precision)
    model, T, total = Passing(directory), int(window), int(tokens)
    D = total // T
    ids = (1000 + 7919 * torch.arange(D)[:, None] + 31 * torch.arange(T)[None]) % 50257
    f = model.w["h.0.mlp.c_fc.bias"].shape[0]
    ids = ids.to(model.w["wte.weight"].device)
    everything = Statistics(model.L, f, ids.device)
    with torch.inference_mode():
        step = max(1, 2048 // T)
        for first in range(0, D, step):
            model.add(ids[first:first + step], everything, first)
        print(json.dumps({"sum": float((everything.sum[5] / everything.count).sum()), "largest": float(everything.best[3, 0, 42]),
                          "megabytes": everything.megabytes()}), flush=True)
        for batch in sorted({min(D, max(1, b // T)) for b in BATCHES}):
            statistics, times, end = Statistics(model.L, f, ids.device), [], now() + float(seconds)
            while len(times) < 2 or now() < end:
                first = len(times) * batch % (D - batch + 1)
                start = now()
                model.add(ids[first:first + batch], statistics, first)
                times.append(now() - start)
            print(json.dumps({"batch": batch, "milliseconds": 1e3 * sorted(times)[len(times) // 2] * D / batch}), flush=True)


main()
