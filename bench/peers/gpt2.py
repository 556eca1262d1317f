"""The peer: GPT-2 and LM-Debugger's jobs in eager PyTorch, as a careful user writes them.

  python3 gpt2.py CHECKPOINT_DIRECTORY THREADS|cuda fp32|tf32|bf16 SECONDS_A_JOB PROMPT_TOKENS...

Prints one JSON line a job: {"job", "tokens", "milliseconds", "next"}. Reads the same files as the Java side.
"""
import json, math, struct, sys, time
from pathlib import Path
import numpy as np
import torch
import torch.nn.functional as F

TOKENS = 32  # generated beyond the first, as in ModelBenchmark
TOP = 10


def use(where, precision="fp32"):
    """On so many threads of the CPU, or on the GPU; fp32 means fp32 on both, and bf16 everything in bf16."""
    torch.set_grad_enabled(False)
    if where == "cuda":
        torch.set_default_device("cuda")
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    else:
        torch.set_num_threads(int(where))
    if precision == "bf16":
        torch.set_default_dtype(torch.bfloat16)


def now():
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def read_safetensors(path):
    raw = np.memmap(path, np.uint8, "r")
    n = struct.unpack("<Q", raw[:8].tobytes())[0]
    header = json.loads(raw[8:8 + n].tobytes())
    out = {}
    header.pop("__metadata__", None)
    for name, t in header.items():
        a, b = t["data_offsets"]
        out[name] = torch.from_numpy(raw[8 + n + a:8 + n + b].view(np.float32).reshape(t["shape"]).copy()).to(torch.empty(0))
    return out


class Gpt2:
    def __init__(self, directory):
        cfg = json.loads((Path(directory) / "config.json").read_text())
        self.w = read_safetensors(Path(directory) / "model.safetensors")
        self.L, self.H, self.d = cfg["n_layer"], cfg["n_head"], cfg["n_embd"]
        self.eps = cfg.get("layer_norm_epsilon", 1e-5)
        self.head = self.w["wte.weight"]
        self.fused = self.head.is_cuda  # the kernels that PyTorch 2 has for attention and GELU, which are fastest on a GPU
        self.norms = [self.w[f"h.{l}.mlp.c_proj.weight"].norm(dim=1) for l in range(self.L)]

    def ln(self, x, p):
        return F.layer_norm(x, (self.d,), self.w[p + ".weight"], self.w[p + ".bias"], self.eps)

    def forward(self, ids, cache, keep=None):
        """ids [T] after what the cache holds; appends to it; returns the residual stream [T, d]."""
        w, T = self.w, len(ids)
        past = cache[0][0].shape[1] if cache else 0
        x = w["wte.weight"][ids] + w["wpe.weight"][past:past + T]
        mask = torch.full((T, T), float("-inf")).triu(1) if T > 1 else None
        for l in range(self.L):
            p = f"h.{l}."
            qkv = torch.addmm(w[p + "attn.c_attn.bias"], self.ln(x, p + "ln_1"), w[p + "attn.c_attn.weight"])
            q, k, v = (t.view(T, self.H, -1).transpose(0, 1) for t in qkv.split(self.d, 1))
            if past:
                k, v = torch.cat([cache[l][0], k], 1), torch.cat([cache[l][1], v], 1)
                cache[l] = (k, v)
            else:
                cache.append((k, v))
            a = self.attend(q, k, v, mask)
            x = x + torch.addmm(w[p + "attn.c_proj.bias"], a.transpose(0, 1).reshape(T, self.d), w[p + "attn.c_proj.weight"])
            m = torch.addmm(w[p + "mlp.c_fc.bias"], self.ln(x, p + "ln_2"), w[p + "mlp.c_fc.weight"])
            m = self.gelu(m)
            if keep is not None:
                keep.append([x[-1], m[-1]])
            x = x + torch.addmm(w[p + "mlp.c_proj.bias"], m, w[p + "mlp.c_proj.weight"])
            if keep is not None:
                keep[-1].append(x[-1])
        return x

    def attend(self, q, k, v, mask):
        """[..., H, T, d/H]; the mask is causal, or None where there is one query."""
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, is_causal=mask is not None)
        s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        return torch.softmax(s if mask is None else s + mask, -1) @ v

    def gelu(self, m):
        if self.fused:
            return F.gelu(m, approximate="tanh")
        return 0.5 * m * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (m + 0.044715 * m.pow(3))))

    def next(self, x):
        return int((self.ln(x[-1:], "ln_f") @ self.head.T).argmax())

    def generate(self, ids, count):
        cache, out = [], []
        token = self.next(self.forward(ids, cache))
        for _ in range(count):
            out.append(token)
            token = self.next(self.forward(torch.tensor([token]), cache))
        return out + [token]

    def hooked(self, ids):
        """The trace as hooks give it, and as LM-Debugger works: each hidden state is projected when it appears."""
        keep, out = [], []
        self.forward(ids, [], keep)
        for (before, m, after), norm in zip(keep, self.norms):
            tops = [torch.topk(torch.softmax(self.ln(h, "ln_f") @ self.head.T, -1), TOP) for h in (before, after)]
            out.append([(t.indices.tolist(), t.values.tolist()) for t in (*tops, torch.topk(m.abs() * norm, TOP))])
        return out

    def trace(self, ids):
        """The same by a careful user: all hidden states are projected at once."""
        keep = []
        self.forward(ids, [], keep)
        hidden = torch.stack([h for before, _, after in keep for h in (before, after)])
        top = torch.topk(torch.softmax(self.ln(hidden, "ln_f") @ self.head.T, -1), TOP)
        dominant = [torch.topk(m.abs() * n, TOP) for (_, m, _), n in zip(keep, self.norms)]
        return top.indices.tolist(), top.values.tolist(), [(t.indices.tolist(), t.values.tolist()) for t in dominant]


def median(job, seconds):
    for _ in range(2):
        job()
    times, end = [], now() + seconds
    while len(times) < 3 or now() < end:
        start = now()
        job()
        times.append(now() - start)
    return 1e3 * sorted(times)[len(times) // 2]


def main():
    directory, where, precision, seconds, *lengths = sys.argv[1:]
    use(where, precision)
    model = Gpt2(directory)
    vocab = json.loads((Path(directory) / "vocab.json").read_text(encoding="utf-8"))
    for length in map(int, lengths):
        ids = torch.tensor([vocab["Once"]] + [vocab["Ġa"]] * (length - 1))
        jobs = {"forward": lambda: model.generate(ids, 0), "generate": lambda: model.generate(ids, TOKENS), "trace": lambda: model.trace(ids), "hooked": lambda: model.hooked(ids)}
        for name, job in jobs.items():
            print(json.dumps({"job": name, "tokens": length, "milliseconds": median(job, float(seconds)), "next": model.generate(ids, 0)[0]}), flush=True)


if __name__ == "__main__":
    main()
