"""Compares this library's numbers with those of Hugging Face's GPT2LMHeadModel, in fp32 on the same checkpoints: the
sample model, the tarot model where ../shared has it, and random weights of the shapes named.

  python3 bench/peers/parity.py [--device cpu|cuda] [--shape gpt2]...

Prints the largest differences of each checkpoint. Exits with 1 if a logit differs by more than 1e-3, a hidden state by more
than 1e-4 of the largest, or a greedily chosen token differs where Hugging Face's two best logits are further apart than 1e-3.
Needs transformers, PyTorch and what has been built (mvn -DskipTests package).
"""
import argparse, json, sys, tempfile
import torch
import transformers
from ours import FLAGS, ROOT, checkpoint, java, run

LIMIT = 1e-3
HIDDEN_LIMIT = 1e-4  # of sums of up to 3,072 products in single precision, through all layers
PROMPTS = ["Once upon a time there was a little", "The", "My wife is working as a"]


def ours(directory, device):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        run([java(), *FLAGS, "org.lmdebugger.bench.Parity", directory, device, out.name, *PROMPTS])
        return json.load(open(out.name))


def compare(directory, device):
    model = transformers.GPT2LMHeadModel.from_pretrained(directory, attn_implementation="eager").float().to(device).eval()
    logit_errors, hidden_errors = [], []
    different = compared = 0
    for result in ours(directory, device):
        ids = torch.tensor([result["ids"]], device=device)
        out = model(ids, output_hidden_states=True)
        logits = torch.tensor(result["logits"], device=device).view_as(out.logits[0])
        logit_errors.append((logits - out.logits[0]).abs().max())
        # Hugging Face gives the last one after the final LayerNorm.
        for layer, hidden in enumerate(result["hidden"]):
            theirs = out.hidden_states[layer + 1][0]
            mine = torch.tensor(hidden, device=device).view_as(theirs)
            if layer == len(result["hidden"]) - 1:
                mine = model.transformer.ln_f(mine)
            hidden_errors.append((mine - theirs).abs().max() / theirs.abs().max())
        for token in result["greedy"]:
            best = model(ids).logits[0, -1].topk(2)
            compared += 1
            if int(best.indices[0]) != token:
                if float(best.values[0] - best.values[1]) > LIMIT:
                    different += 1
                break  # what follows another token need not agree
            ids = torch.cat([ids, torch.tensor([[token]], device=device)], 1)
    worst_logit, worst_hidden = (float(torch.stack(errors).max()) for errors in (logit_errors, hidden_errors))  # NaN if any is
    print(json.dumps({"checkpoint": str(directory), "device": device, "largest logit difference": worst_logit,
                      "largest hidden difference, relative": worst_hidden, "greedy tokens": compared,
                      "of those different": different}), flush=True)
    return worst_logit <= LIMIT and worst_hidden <= HIDDEN_LIMIT and different == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shape", action="append", help="gpt2 (default) or gpt2-medium")
    a = parser.parse_args()
    torch.set_grad_enabled(False)
    transformers.utils.logging.disable_progress_bar()
    torch.backends.cuda.matmul.allow_tf32 = False
    directories = [ROOT / "interpret/sample/src/main/resources/org/lmdebugger/models/sample"]
    tarot = ROOT.parent / "shared/models/tarot"
    if tarot.exists():
        directories.append(tarot)
    else:
        print(f"not compared, as {tarot} is not there", flush=True)
    agree = [compare(directory, a.device) for directory in directories]
    agree += [compare(checkpoint(shape), a.device) for shape in a.shape or ["gpt2"]]
    sys.exit(not all(agree))


main()
