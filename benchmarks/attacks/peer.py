"""The original AutoAttack's side of `pnpm bench attacks`: one process that attacks on command.

Reads one JSON object a line from standard input and answers with one on standard output:
  {"do": "prepare", "victim", "folder", "norm", "eps"} -> {"versions"}
  {"do": "attack", "version", "attack", "seed", "rows"} -> {"cpu", "wall"} in milliseconds and {"robust"}, "1" for each image still right
`attack` is a part of that version of AutoAttack, `rows` the images that it attacks. The folder holds what ../pytorch/peer.py says.
Needs `pip install torch numpy "git+https://github.com/fra31/auto-attack@a39220048b3c9f2cca9a4d3a54604793c68eca7e"`.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pytorch"))

import torch
from autoattack import AutoAttack
from models import Cnn28, ResNet18, load, read_tensors

# What anything else prints goes to the stream of errors.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

VICTIMS = {"cnn28": Cnn28, "resnet18": lambda: ResNet18(16)}


class Victim:
    def __init__(self, victim, folder, norm, eps):
        torch.set_num_threads(1)
        tensors = read_tensors(folder)
        self.images = tensors.pop("images").permute(0, 3, 1, 2).contiguous()
        self.labels = tensors.pop("labels").long()
        self.model = VICTIMS[victim]().eval().requires_grad_(False)
        load(self.model, tensors)
        self.ball = {"norm": norm, "eps": eps}

    def attack(self, version, attack, seed, rows):
        images, labels = self.images[rows], self.labels[rows]
        tool = AutoAttack(self.model, **self.ball, seed=seed, verbose=False, version=version, device="cpu")
        tool.version, tool.attacks_to_run = "custom", [attack]
        wall, cpu = time.perf_counter(), time.process_time()
        found = tool.run_standard_evaluation(images, labels, bs=len(rows))
        cost = {"cpu": 1e3 * (time.process_time() - cpu), "wall": 1e3 * (time.perf_counter() - wall)}
        with torch.no_grad():
            right = self.model(found).argmax(1) == labels
        return {**cost, "robust": "".join(str(int(flag)) for flag in right)}


def main():
    victim = None
    for line in sys.stdin:
        message = json.loads(line)
        kind = message.pop("do")
        try:
            if kind == "prepare":
                victim = Victim(**message)
                answer = {"versions": f"AutoAttack a392200, PyTorch {torch.__version__}, Python {sys.version.split()[0]}"}
            else:
                answer = victim.attack(**message)
        except Exception as error:  # The other side says what failed.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


main()
