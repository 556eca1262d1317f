"""Ids of transformers for the folders that TokenizerCases writes: python3 expected.py ROOT > transformers.json"""
import json, os, sys
import tokenizers, transformers

TEXTS = ["", "hello world and the king", " hello", "<|endoftext|>hello<|endoftext|>", "hello<|pad|><|user|> world",
         "<s>hello</s> <pad><mask>", "abc abc bc ab", "cab<|x|>ab", "<user>hello king and", "HELLO é 123\n\nthe",
         "hello [PAD]x  <mask> the", "concat cat cat_ <u>  x unreachable", "a1234 ½² x 5", "the  the\u3000\u00a0 'll I'll 's\t\n",
         "..hellhell .. ohello!! é-é a"]
transformers.logging.set_verbosity_error()
cases = {}
for name in sorted(os.listdir(sys.argv[1])):
    tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.join(sys.argv[1], name))
    cases[name] = [tokenizer(text)["input_ids"] for text in TEXTS]
lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(ids, separators=(',', ':'))}" for name, ids in cases.items())
print('{\n"producer": "transformers %s, tokenizers %s",\n"texts": %s,\n"cases": {\n%s\n}\n}'
      % (transformers.__version__, tokenizers.__version__, json.dumps(TEXTS), lines))
