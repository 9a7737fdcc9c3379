"""Networks that are compared with ours, and how they get our weights."""

import json
import os
import re

import numpy
import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Conv2d):
    """Pads as torchvision does, or with the odd zero last as the `same` of TensorFlow does."""

    same = False

    def forward(self, x):
        if self.same and self.stride[0] == 2 and self.kernel_size[0] == 3:
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, self.stride)
        return super().forward(x)


class Block(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = Conv(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = Conv(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        plain = stride == 1 and channels == filters
        self.downsample = None if plain else nn.Sequential(Conv(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return F.relu(y.add_(x if self.downsample is None else self.downsample(x)), inplace=True)


class BlockMoe(nn.Module):
    """Each row goes through the block that a linear gate on its mean pixel scores highest, at weight 1 with the gradient of the gate; blocks without rows do not run."""

    def __init__(self, channels, filters, stride, experts):
        super().__init__()
        self.gate = nn.Linear(channels, experts)
        self.experts = nn.ModuleList(Block(channels, filters, stride) for _ in range(experts))

    def forward(self, x):
        gates = self.gate(x.mean((2, 3))).softmax(1)
        mean = gates.mean(0)
        self.entropy = (mean * mean.log()).sum() - (gates * gates.log()).sum(1).mean()
        chosen = gates.argmax(1)
        weight = gates.gather(1, chosen[:, None])
        weight = (weight - weight.detach() + 1)[:, :, None, None]
        rows = [torch.nonzero(chosen == e)[:, 0] for e in range(len(self.experts))]
        parts = [weight[own] * expert(x[own]) for own, expert in zip(rows, self.experts) if len(own) > 0]
        order = torch.argsort(torch.cat([own for own in rows if len(own) > 0]))
        return torch.cat(parts)[order]


class ResNet18(nn.Module):
    """ResNet-18 for small images: one 3x3 convolution as stem, no pooling after it; with `experts`, both blocks of the last stage are mixtures."""

    def __init__(self, width=64, experts=1):
        super().__init__()
        self.conv1 = Conv(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for stage in range(4):
            channels, filters = width * 2 ** max(0, stage - 1), width * 2**stage
            stride = 1 if stage == 0 else 2
            block = (lambda *sizes: BlockMoe(*sizes, experts)) if experts > 1 and stage == 3 else Block
            setattr(self, f"layer{stage + 1}", nn.Sequential(block(channels, filters, stride), block(filters, filters, 1)))
        self.fc = nn.Linear(8 * width, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class Cnn28(nn.Module):
    """Two convolutions with bias, ReLU and 2x2 maximum pooling, then one linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = Conv(1, 16, 3, 1, 1)
        self.conv2 = Conv(16, 32, 3, 1, 1)
        self.fc = nn.Linear(7 * 7 * 32, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x), inplace=True), 2)
        x = F.max_pool2d(F.relu(self.conv2(x), inplace=True), 2)
        # tfjs' order of a flattened map: rows, columns, channels.
        return self.fc(x.permute(0, 2, 3, 1).flatten(1))


PARTS = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "movingMean": "running_mean", "movingVariance": "running_var"}


def read_tensors(folder):
    with open(os.path.join(folder, "tensors.json")) as file:
        entries = json.load(file)
    values = numpy.fromfile(os.path.join(folder, "tensors.bin"), numpy.float32)
    tensors, start = {}, 0
    for entry in entries:
        size = int(numpy.prod(entry["shape"]))
        tensors[entry["name"]] = torch.from_numpy(values[start : start + size].reshape(entry["shape"]).copy())
        start += size
    return tensors


def load(model, tensors):
    state = model.state_dict()
    for name, value in tensors.items():
        *modules, part = name.split("/")
        module = re.sub(r"\bexpert(?=\d)", "experts.", ".".join(modules)).replace(".router", ".gate")
        if part == "kernel":
            value = value.permute(3, 2, 0, 1) if value.dim() == 4 else value.t()
        state[f"{module}.{PARTS[part]}"].copy_(value)
    model.load_state_dict(state)
