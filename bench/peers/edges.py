"""Compares estimated and exact effects of edges with PyTorch's, in float64: gradients by autograd, exact effects by a whole
forward for each of some edges.

  ./lmdebug edges CLEAN CORRUPTED --model DIRECTORY --sieve 1 --sample 1000000 --json > edges.json
  python3 bench/peers/edges.py DIRECTORY edges.json

Prints the largest differences. Exits with 1 if an estimate differs by more than a hundred-thousandth of the largest, or an
effect by more than 1e-4. Needs safetensors beside PyTorch.
"""
import json, math, sys
from pathlib import Path
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

torch.set_default_dtype(torch.float64)
EXACT = 40  # edges, of all layers


class Edges:
    """Each receiver reads the residual stream by itself; `added` is added to what it reads."""

    def __init__(self, directory):
        config = json.loads((Path(directory) / "config.json").read_text())
        self.H, self.L, self.d = config["n_head"], config["n_layer"], config["n_embd"]
        weights = load_file(Path(directory) / "model.safetensors")
        self.w = {name.removeprefix("transformer."): tensor.double() for name, tensor in weights.items()}
        self.head = self.w.get("lm_head.weight", self.w["wte.weight"])

    def ln(self, x, name):
        return F.layer_norm(x, (self.d,), self.w[name + ".weight"], self.w[name + ".bias"], 1e-5)

    def run(self, ids, added=None):
        """Returns the logits of the last position and what each sender writes, [T, d]."""
        w, H, T, c = self.w, self.H, len(ids), self.d // self.H
        added = added or {}
        x = w["wte.weight"][ids] + w["wpe.weight"][:T]
        writes = {"embedding": x}
        mask = torch.full((T, T), float("-inf")).triu(1)
        for l in range(self.L):
            p, out = f"h.{l}.", 0
            for h in range(H):
                q, k, v = (self.ln(x + added.get(f"L{l}H{h}.{part}", 0), p + "ln_1")
                           @ w[p + "attn.c_attn.weight"][:, i * self.d + h * c:i * self.d + (h + 1) * c]
                           + w[p + "attn.c_attn.bias"][i * self.d + h * c:i * self.d + (h + 1) * c] for i, part in enumerate("qkv"))
                z = torch.softmax(q @ k.T / math.sqrt(c) + mask, -1) @ v
                writes[f"L{l}H{h}"] = z @ w[p + "attn.c_proj.weight"][h * c:(h + 1) * c]
                out = out + writes[f"L{l}H{h}"]
            x = x + out + w[p + "attn.c_proj.bias"]
            m = self.ln(x + added.get(f"L{l}.ffn", 0), p + "ln_2") @ w[p + "mlp.c_fc.weight"] + w[p + "mlp.c_fc.bias"]
            writes[f"L{l}.ffn"] = F.gelu(m, approximate="tanh") @ w[p + "mlp.c_proj.weight"]
            x = x + writes[f"L{l}.ffn"] + w[p + "mlp.c_proj.bias"]
        return self.ln((x + added.get("logits", 0))[-1], "ln_f") @ self.head.T, writes


def main():
    directory, file = sys.argv[1:]
    model, ours = Edges(directory), json.load(open(file))
    ids = {name: torch.tensor([token["id"] for token in ours[name]["tokens"]]) for name in ("clean", "corrupted")}
    base, source = (ids[name] for name in (("clean", "corrupted") if ours["direction"] == "noise" else ("corrupted", "clean")))
    answers, wrong = ([token["id"] for token in ours[name]] for name in ("answers", "wrong"))
    difference = lambda logits: logits[answers].mean() - logits[wrong].mean()
    with torch.no_grad():
        logits, writes = model.run(base)
        others = model.run(source)[1]
    change = {sender: others[sender] - writes[sender] for sender in writes}
    edges, effects = ours["edges"], [edge["effect"] for edge in ours["edges"]]
    added = {edge["receiver"]: torch.zeros(len(base), model.d, requires_grad=True) for edge in edges}
    difference(model.run(base, added)[0]).backward()
    theirs = torch.tensor([(change[edge["sender"]] * added[edge["receiver"]].grad).sum() for edge in edges])
    estimates = torch.tensor(ours["sieve"]["estimates"])
    relative = float((estimates - theirs).abs().max() / theirs.abs().max())
    worst = 0.0
    with torch.no_grad():
        for e in range(0, len(edges), max(1, len(edges) // EXACT)):
            patched = difference(model.run(base, {edges[e]["receiver"]: change[edges[e]["sender"]]})[0])
            worst = max(worst, abs(float(patched - difference(logits)) - effects[e]))
    print(json.dumps({"edges": len(edges), "largest estimate": float(theirs.abs().max()),
                      "largest difference of an estimate, relative to it": relative, "largest difference of an effect": worst}))
    sys.exit(not (relative <= 1e-5 and worst <= 1e-4))


main()
