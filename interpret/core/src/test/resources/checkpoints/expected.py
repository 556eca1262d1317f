"""Next-token logits of transformers, in double precision, for the folders that CheckpointCases writes:
python3 expected.py ROOT > transformers.json. Folders that transformers refuses or fills up with random weights are left out."""
import json, os, sys
import torch, transformers

IDS = [72, 101, 108, 108, 111, 32, 33, 200, 256, 7]
transformers.logging.set_verbosity_error()
torch.set_grad_enabled(False)
cases = {}
for name in sorted(os.listdir(sys.argv[1])):
    try:
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(os.path.join(sys.argv[1], name), dtype=torch.float64,
                                                                           output_loading_info=True)
    except Exception as refused:
        print(f"{name}: {type(refused).__name__}", file=sys.stderr)
        continue
    ids = IDS[:model.config.n_positions]
    logits = model.eval()(torch.tensor([ids])).logits[0, -1]
    if loading["missing_keys"] or not logits.isfinite().all():
        print(f"{name}: {list(loading['missing_keys'])[:1]}", file=sys.stderr)
        continue
    top = torch.topk(logits, 5)
    ends = model.generation_config.eos_token_id
    cases[name] = {"ids": top.indices.tolist(), "logits": [float(f"{v:.9g}") for v in top.values],
                   "ends": [] if ends is None else ends if isinstance(ends, list) else [ends]}
lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
print('{\n"producer": "transformers %s, PyTorch %s, float64",\n"ids": %s,\n"cases": {\n%s\n}\n}'
      % (transformers.__version__, torch.__version__, IDS, lines))
