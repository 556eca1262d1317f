"""The peer of activation patching: whole forwards, one for each cell, as a helper for hooks does it, and in batches, as a
careful user of eager PyTorch writes it; the head on the last row only.

  python3 patch.py CHECKPOINT_DIRECTORY THREADS|cuda fp32|tf32|bf16 SECONDS streams|heads PROMPT_TOKENS

Prints first {"kl": the sum over all cells, in double}, then a line for each batch size (1: a forward for each cell):
{"batch", "milliseconds" for one cell}. Cells are drawn from all layers, as in a whole grid.
"""
import json, sys
import torch
import torch.nn.functional as F
from gpt2 import Gpt2, now, use

BATCHES = (1, 8, 32, 64, 128, 512) if torch.cuda.is_available() else (1, 8, 32, 64, 128)


class Patched(Gpt2):
    def logits(self, ids, cells, source=None, keep=None):
        """ids [T]; cells: (site, layer, position or head) for each copy; returns the last position's logits [B, V]."""
        w, T, B = self.w, len(ids), len(cells)
        x = (w["wte.weight"][ids] + w["wpe.weight"][:T]).repeat(B, 1, 1)
        mask = torch.full((T, T), float("-inf")).triu(1)
        for l in range(self.L):
            p = f"h.{l}."
            x = self.patch("pre", l, x, cells, source, keep)
            qkv = self.linear(self.ln(x, p + "ln_1"), p + "attn.c_attn")
            q, k, v = (t.view(B, T, self.H, -1).transpose(1, 2) for t in qkv.split(self.d, 2))
            z = self.attend(q, k, v, mask)
            rows = [i for i, c in enumerate(cells) if c[:2] == ("head", l)]
            if rows:
                z[rows, [cells[i][2] for i in rows], -1] = 0
            x = x + self.linear(z.transpose(1, 2).reshape(B, T, self.d), p + "attn.c_proj")
            x = self.patch("mid", l, x, cells, source, keep)
            m = F.gelu(self.linear(self.ln(x, p + "ln_2"), p + "mlp.c_fc"), approximate="tanh")
            x = x + self.linear(m, p + "mlp.c_proj")
            x = self.patch("post", l, x, cells, source, keep)
        return self.ln(x[:, -1], "ln_f") @ self.head.T

    def patch(self, site, l, x, cells, source, keep):
        if keep is not None:
            keep[site, l] = x[0].clone()
        rows = [i for i, c in enumerate(cells) if c[:2] == (site, l)]
        if rows:
            at = [cells[i][2] for i in rows]
            x[rows, at] = source[site, l][at]
        return x

    def linear(self, x, name):
        flat = torch.addmm(self.w[name + ".bias"], x.reshape(-1, x.shape[-1]), self.w[name + ".weight"])
        return flat.view(*x.shape[:-1], -1)


def main():
    directory, where, precision, seconds, what, length = sys.argv[1:]
    use(where, precision)
    model, T = Patched(directory), int(length)
    ids = torch.tensor([1000 + 7 * i for i in range(T)])
    source = {}
    model.logits(torch.tensor([2000 + 7 * i for i in range(T)]), [("none", 0, 0)], keep=source)
    exact = torch.log_softmax(model.logits(ids, [("none", 0, 0)])[0].double(), -1)
    clean = exact.float()
    if what == "heads":
        cells = [("head", l, h) for h in range(model.H) for l in range(model.L)]
    else:
        cells = [(s, l, t) for t in range(T) for s in ("pre", "mid", "post") for l in range(model.L)]
    kl = 0.0
    for start in range(0, len(cells), 32):
        patched = torch.log_softmax(model.logits(ids, cells[start:start + 32], source).double(), -1)
        kl += float((exact.exp() * (exact - patched)).sum())
    print(json.dumps({"kl": kl}), flush=True)
    for batch in BATCHES:
        def job(start):
            some = [cells[(start + i) % len(cells)] for i in range(batch)]
            return F.kl_div(torch.log_softmax(model.logits(ids, some, source), -1), clean, log_target=True, reduction="none").sum(-1)
        job(0)
        times, end = [], now() + float(seconds)
        while len(times) < 2 or now() < end:
            start = now()
            job(len(times) * batch)
            times.append(now() - start)
        print(json.dumps({"batch": batch, "milliseconds": 1e3 * sorted(times)[len(times) // 2] / batch}), flush=True)


main()
