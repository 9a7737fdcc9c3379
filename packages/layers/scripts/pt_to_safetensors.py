"""Converts a PyTorch checkpoint to safetensors:  python pt_to_safetensors.py model.pt model.safetensors

Needs torch and numpy. Takes a state dict, or a checkpoint that has one under 'state_dict', as PyTorch Lightning writes it.
A checkpoint that holds more than numbers and text is refused, because unpickling it can run code."""
import json, struct, sys
import torch

TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
checkpoint = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
tensors = {name: value.contiguous() for name, value in checkpoint.get("state_dict", checkpoint).items() if torch.is_tensor(value)}
header, end = {}, 0
for name, value in tensors.items():
    begin, end = end, end + value.nbytes
    header[name] = {"dtype": TYPES[value.dtype], "shape": list(value.shape), "data_offsets": [begin, end]}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[2], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for value in tensors.values():
        file.write(value.reshape(-1).view(torch.uint8).numpy().tobytes())
