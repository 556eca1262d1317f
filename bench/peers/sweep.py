"""The peer of sweeps: a batch of copies of the prompt, one neuron switched off in each by a hook, the head on the last
row only; what a careful user of eager PyTorch writes.

  python3 sweep.py CHECKPOINT_DIRECTORY THREADS|cuda fp32|tf32|bf16 SECONDS PROMPT_TOKENS last|all NEURONS_A_LAYER

Prints first {"kl": the sum over neurons 0 and 1 of each layer}, then a line for each batch size:
{"batch", "milliseconds" for one edit}. Batches are drawn from all layers, as in a whole sweep.
"""
import json, sys
from pathlib import Path
import torch
import torch.nn.functional as F
from gpt2 import Gpt2, now, use

BATCHES = (8, 32, 64, 128, 512) if torch.cuda.is_available() else (8, 32, 64, 128)


class Batched(Gpt2):
    def logits(self, ids, edits, everywhere):
        """ids [T]; edits: (layer, neuron) for each copy; returns the last position's logits [B, V]."""
        w, T, B = self.w, len(ids), len(edits)
        x = (w["wte.weight"][ids] + w["wpe.weight"][:T]).expand(B, T, self.d)
        mask = torch.full((T, T), float("-inf")).triu(1)
        layers = torch.tensor([l for l, _ in edits])
        neurons = torch.tensor([n for _, n in edits])
        for l in range(self.L):
            p = f"h.{l}."
            qkv = self.linear(self.ln(x, p + "ln_1"), p + "attn.c_attn")
            q, k, v = (t.view(B, T, self.H, -1).transpose(1, 2) for t in qkv.split(self.d, 2))
            a = self.attend(q, k, v, mask)
            x = x + self.linear(a.transpose(1, 2).reshape(B, T, self.d), p + "attn.c_proj")
            m = F.gelu(self.linear(self.ln(x, p + "ln_2"), p + "mlp.c_fc"), approximate="tanh")
            rows = (layers == l).nonzero()[:, 0]
            if everywhere:
                m[rows, :, neurons[rows]] = 0
            else:
                m[rows, -1, neurons[rows]] = 0
            x = x + self.linear(m, p + "mlp.c_proj")
        return self.ln(x[:, -1], "ln_f") @ self.head.T

    def linear(self, x, name):
        flat = torch.addmm(self.w[name + ".bias"], x.reshape(-1, x.shape[-1]), self.w[name + ".weight"])
        return flat.view(*x.shape[:-1], -1)

    def kl(self, ids, edits, everywhere, clean):
        """KL(clean ‖ edited) of each copy."""
        return F.kl_div(torch.log_softmax(self.logits(ids, edits, everywhere), -1), clean, log_target=True, reduction="none").sum(-1)


def main():
    directory, where, precision, seconds, length, at, each = sys.argv[1:]
    use(where, precision)
    model = Batched(directory)
    vocab = json.loads((Path(directory) / "vocab.json").read_text(encoding="utf-8"))
    ids = torch.tensor([vocab["Once"]] + [vocab["Ġa"]] * (int(length) - 1))
    clean = torch.log_softmax(model.logits(ids, [(-1, 0)], False)[0], -1)
    edits = [(l, n) for n in range(int(each)) for l in range(model.L)]
    # in double: in single, sums of 50,257 terms of either sign lose two digits of effects as small as these
    few = torch.log_softmax(model.logits(ids, edits[:2 * model.L], at == "all").double(), -1)
    exact = torch.log_softmax(model.logits(ids, [(-1, 0)], False)[0].double(), -1)
    print(json.dumps({"kl": float((exact.exp() * (exact - few)).sum())}), flush=True)
    for batch in BATCHES:
        def job(start):
            return model.kl(ids, [edits[(start + i) % len(edits)] for i in range(batch)], at == "all", clean)
        job(0)
        times, end = [], now() + float(seconds)
        while len(times) < 2 or now() < end:
            start = now()
            job(len(times) * batch)
            times.append(now() - start)
        print(json.dumps({"batch": batch, "milliseconds": 1e3 * sorted(times)[len(times) // 2] / batch}), flush=True)


main()
