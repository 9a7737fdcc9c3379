"""PyTorch's side of `pnpm bench pytorch` and `pnpm bench train`: one process that runs tasks on command.

Reads one JSON object a line from standard input and answers with one on standard output:
  {"do": "prepare", "subject", "folder", "threads", "compile"} -> {"versions"}
  {"do": "check", "same"}                                     -> {"logits", "gradient", "attack", "losses"}
  {"do": "train", "steps"}                                    -> {"losses"} of steps of adversarial training
  {"do": "run", "task"}                                       -> {"cpu", "wall"} in milliseconds
  {"do": "peak"}                                              -> {"mebibytes"} of memory at the highest
The folder holds `tensors.json` and `tensors.bin` (float32): weights in tfjs' layout, images [B,H,W,C] and labels.
"""

import json
import os
import resource
import sys
import time

import torch
from torch.nn import functional as F

from models import BlockMoe, Cnn28, Conv, ResNet18, load, read_tensors

# What anything else prints goes to the stream of errors.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


SUBJECTS = {
    "resnet18-b64": ResNet18,
    "cnn28-b128": Cnn28,
    # Of `pnpm bench train`.
    "resnet18-w64-b64": ResNet18,
    "resnet18-w64-b64-block-moe": lambda: ResNet18(experts=4),
    "resnet18-w16-b128": lambda: ResNet18(16),
    "resnet18-w16-b128-block-moe": lambda: ResNet18(16, experts=4),
}


class Tasks:
    def __init__(self, subject, folder, threads, compile):
        torch.set_num_threads(threads)
        tensors = read_tensors(folder)
        self.images = tensors.pop("images").permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        self.labels = tensors.pop("labels").long()
        self.eps, self.step_size, steps = tensors.pop("attack").tolist()
        self.steps = int(steps)
        self.model = SUBJECTS[subject]().to(memory_format=torch.channels_last)
        load(self.model, tensors)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9, fused=True)
        self.network = torch.compile(self.model) if compile else self.model

    def attacked(self):
        """Evaluation mode, and no gradient of any weight."""
        self.model.eval()
        self.model.requires_grad_(False)

    def gradient(self, x):
        x = x.detach().requires_grad_()
        logits = self.network(x)
        loss = F.cross_entropy(logits, self.labels, reduction="sum")
        return logits.detach(), torch.autograd.grad(loss, x)[0]

    def forward(self):
        self.attacked()
        with torch.no_grad():
            return self.network(self.images)

    def input_gradient(self):
        self.attacked()
        return self.gradient(self.images)[1]

    def attack(self, steps):
        """Projected gradient descent that keeps each row's point of highest loss, the last one included, as `pgd` of @moe/attacks does."""
        self.attacked()
        clean = self.images
        low, high = (clean - self.eps).clamp_(0, 1), (clean + self.eps).clamp_(0, 1)
        x, best = clean, clean.clone()
        highest = torch.full((len(clean),), -torch.inf)
        for t in range(steps + 1):
            if t < steps:
                logits, gradient = self.gradient(x)
            else:
                with torch.no_grad():
                    logits = self.network(x)
            loss = F.cross_entropy(logits, self.labels, reduction="none")
            higher = loss > highest
            highest = torch.where(higher, loss, highest)
            best = torch.where(higher[:, None, None, None], x, best)
            if t < steps:
                x = torch.clamp(x + self.step_size * gradient.sign_(), low, high)
        return best, highest

    def pgd_step(self):
        return self.attack(self.steps)

    pgd_10 = pgd_step

    def adversarial_step(self):
        """A training step on where projected gradient descent ends."""
        self.attacked()
        low, high = (self.images - self.eps).clamp_(0, 1), (self.images + self.eps).clamp_(0, 1)
        x = self.images
        for _ in range(self.steps):
            x = torch.clamp(x + self.step_size * self.gradient(x)[1].sign_(), low, high)
        return self.train_step(x)

    def train_step(self, images=None):
        self.model.train()
        self.model.requires_grad_(True)
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.network(self.images if images is None else images), self.labels)
        for module in self.model.modules():
            if isinstance(module, BlockMoe):
                loss = loss + 0.5 * module.entropy
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def run(self, task):
        task = getattr(self, task.replace("-", "_"))
        wall, cpu = time.perf_counter(), time.process_time()
        task()
        return {"cpu": 1e3 * (time.process_time() - cpu), "wall": 1e3 * (time.perf_counter() - wall)}

    def check(self, same):
        """Logits and input gradient in tfjs' layout; then the losses that the attack finds, and those of four training steps, which change the weights."""
        for module in self.model.modules():
            if isinstance(module, Conv):
                module.same = same
        logits, gradient = self.forward(), self.input_gradient().permute(0, 2, 3, 1)
        answer = {"logits": logits.flatten().tolist(), "gradient": gradient.flatten().tolist()}
        if not same:
            answer["attack"] = self.attack(self.steps)[1].tolist()
            answer["losses"] = [self.train_step() for _ in range(4)]
        return answer


def main():
    tasks = None
    for line in sys.stdin:
        message = json.loads(line)
        kind = message.pop("do")
        try:
            if kind == "prepare":
                tasks = Tasks(**message)
                answer = {"versions": f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}"}
            elif kind == "check":
                answer = tasks.check(**message)
            elif kind == "train":
                answer = {"losses": [tasks.adversarial_step() for _ in range(message["steps"])]}
            elif kind == "run":
                answer = tasks.run(**message)
            else:
                answer = {"mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        except Exception as error:  # The other side says what failed.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
