"""Peers of `pnpm bench attackbench`: attacks for the nearest misclassified point, of foolbox and adv-lib.

Usage: minimum_norms.py FOLDER
The folder holds `tensors.json` and `tensors.bin` (float32; weights in tfjs' layout, images [B,H,W,C] and labels) and `jobs.json`.
Writes one JSON object a line: {"peer", "attack", "norm", "distances", "forward", "backward"}, passes being counted by the image.
"""

import json
import os
import sys

import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pytorch"))

from peer import Cnn28, answers, load, read_tensors  # noqa: E402

NORMS = {"Linf": float("inf"), "L2": 2, "L1": 1}


class Counted(torch.nn.Module):
    """Counts the images that pass forward and backward."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.forwards = self.backwards = 0

    def forward(self, x):
        self.forwards += len(x)
        logits = self.model(x)
        if logits.requires_grad:
            logits.register_hook(self.note)
        return logits

    def note(self, gradient):
        self.backwards += len(gradient)


def foolbox_attacks():
    import foolbox
    from foolbox import attacks as fb

    def runner(make):
        def run(model, images, labels, job):
            wrapped = foolbox.PyTorchModel(model, bounds=(0, 1))
            return make(job).run(wrapped, images, labels)

        return run

    table = {
        ("deepFool", "L2"): lambda job: fb.L2DeepFoolAttack(steps=job["steps"]),
        ("deepFool", "Linf"): lambda job: fb.LinfDeepFoolAttack(steps=job["steps"]),
        ("carliniWagner", "L2"): lambda job: fb.L2CarliniWagnerAttack(steps=job["steps"], initial_const=job["firstWeight"]),
        ("ddn", "L2"): lambda job: fb.DDNAttack(steps=job["steps"]),
        ("fmn", "L2"): lambda job: fb.L2FMNAttack(steps=job["steps"]),
        ("fmn", "Linf"): lambda job: fb.LInfFMNAttack(steps=job["steps"]),
        ("fmn", "L1"): lambda job: fb.L1FMNAttack(steps=job["steps"]),
        ("hopSkipJump", "L2"): lambda job: fb.HopSkipJumpAttack(steps=job["steps"], constraint="l2"),
        ("hopSkipJump", "Linf"): lambda job: fb.HopSkipJumpAttack(steps=job["steps"], constraint="linf"),
    }
    return f"foolbox {foolbox.__version__}", {key: runner(make) for key, make in table.items()}


def adv_lib_attacks():
    from importlib.metadata import version

    from adv_lib import attacks as al

    table = {
        ("carliniWagner", "L2"): lambda model, x, y, job: al.carlini_wagner_l2(model, x, y, max_iterations=job["steps"], initial_const=job["firstWeight"]),
        ("ddn", "L2"): lambda model, x, y, job: al.ddn(model, x, y, steps=job["steps"], levels=None),
        ("fmn", "L2"): lambda model, x, y, job: al.fmn(model, x, y, norm=2, steps=job["steps"]),
        ("fmn", "Linf"): lambda model, x, y, job: al.fmn(model, x, y, norm=float("inf"), steps=job["steps"]),
        ("fmn", "L1"): lambda model, x, y, job: al.fmn(model, x, y, norm=1, steps=job["steps"]),
        ("deepFool", "L2"): lambda model, x, y, job: al.df(model, x, y, steps=job["steps"], norm=2),
        ("deepFool", "Linf"): lambda model, x, y, job: al.df(model, x, y, steps=job["steps"], norm=float("inf")),
    }
    return f"adv-lib {version('adv-lib')}", table


def distances(model, images, adversarial, labels, norm):
    """Infinite where the point is not misclassified."""
    adversarial = adversarial.detach().clamp(0, 1)
    with torch.no_grad():
        fooled = model(adversarial).argmax(1) != labels
    away = torch.linalg.vector_norm((adversarial - images).flatten(1), NORMS[norm], dim=1)
    return [float(d) if f else None for d, f in zip(away, fooled)]


def main(folder):
    torch.set_num_threads(1)
    tensors = read_tensors(folder)
    images = tensors.pop("images").permute(0, 3, 1, 2).contiguous()
    labels = tensors.pop("labels").long()
    network = Cnn28()
    load(network, tensors)
    network.eval().requires_grad_(False)
    with open(os.path.join(folder, "jobs.json")) as file:
        jobs = json.load(file)
    for find in (foolbox_attacks, adv_lib_attacks):
        try:
            name, attacks = find()
        except ImportError as error:
            print(f"attackbench: {find.__name__} left out: {error}", file=sys.stderr)
            continue
        for job in jobs:
            attack = attacks.get((job["attack"], job["norm"]))
            if attack is None:
                continue
            torch.manual_seed(1)
            count = job["images"]
            x, y = images[:count], labels[:count]
            counted = Counted(network).eval()
            try:
                found = distances(network, x, attack(counted, x, y, job), y, job["norm"])
            except ValueError as error:  # foolbox gives up where it finds no starting point for one of the images.
                print(f"attackbench: {job['attack']}-{job['norm']} of {name} left out: {error}", file=sys.stderr)
                continue
            row = {"peer": name, "attack": job["attack"], "norm": job["norm"], "distances": found}
            row.update(forward=counted.forwards / count, backward=counted.backwards / count, versions=f"{name}, PyTorch {torch.__version__}")
            print(json.dumps(row), file=answers, flush=True)


main(sys.argv[1])
