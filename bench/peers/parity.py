"""Compares this library's numbers with those of Hugging Face's GPT2LMHeadModel, in fp32 on the same checkpoint.

  python3 parity.py CHECKPOINT_DIRECTORY OURS.json [cpu|cuda]

OURS.json is written by org.lmdebugger.bench.Parity. Prints the largest differences and exits with 1 if a logit differs by
more than 1e-3, or a greedily chosen token differs where Hugging Face's two best logits are further apart than that.
"""
import json, sys
import torch
from transformers import GPT2LMHeadModel

LIMIT = 1e-3


def main():
    directory, ours, *device = sys.argv[1:]
    torch.set_grad_enabled(False)
    torch.backends.cuda.matmul.allow_tf32 = False
    model = GPT2LMHeadModel.from_pretrained(directory, torch_dtype=torch.float32, attn_implementation="eager")
    model = model.to(*(device or ["cpu"])).eval()
    worst_logit = worst_hidden = 0
    different = 0
    for result in json.load(open(ours)):
        ids = torch.tensor([result["ids"]], device=model.device)
        out = model(ids, output_hidden_states=True)
        logits = torch.tensor(result["logits"], device=model.device).view_as(out.logits[0])
        worst_logit = max(worst_logit, float((logits - out.logits[0]).abs().max()))
        # Hugging Face gives the last one after the final LayerNorm.
        for layer, hidden in enumerate(result["hidden"]):
            theirs = out.hidden_states[layer + 1][0]
            mine = torch.tensor(hidden, device=model.device).view_as(theirs)
            if layer == len(result["hidden"]) - 1:
                mine = model.transformer.ln_f(mine)
            worst_hidden = max(worst_hidden, float((mine - theirs).abs().max() / theirs.abs().max()))
        for token in result["greedy"]:
            best = model(ids).logits[0, -1].topk(2)
            if int(best.indices[0]) != token:
                if float(best.values[0] - best.values[1]) > LIMIT:
                    different += 1
                break  # what follows another token need not agree
            ids = torch.cat([ids, torch.tensor([[token]], device=model.device)], 1)
    print(json.dumps({"checkpoint": directory, "largest logit difference": worst_logit,
                      "largest hidden difference, relative": worst_hidden, "different greedy tokens": different}))
    if worst_logit > LIMIT or different:
        sys.exit(1)


main()
