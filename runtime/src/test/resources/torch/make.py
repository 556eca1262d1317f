"""Makes the files beside it, with PyTorch 2: python3 make.py"""
import torch

x = torch.arange(6, dtype=torch.float32).reshape(2, 3)
tensors = {"f32": x, "tied": x, "row": x[1], "transposed": x.t(), "f16": x.half(), "bf16": x.bfloat16(), "f64": x.double(),
           "parameter": torch.nn.Parameter(x + 1), "scalar": torch.tensor(3.0), "mask": torch.ones(2, 2, dtype=torch.bool).tril(),
           "expanded": x[:1].expand(2, 3), "empty": torch.zeros(0, 4), "steps": 7}
torch.save(tensors, "zip.bin")
torch.save(tensors, "legacy.bin", _use_new_zipfile_serialization=False)
