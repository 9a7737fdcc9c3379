"""The Python side of `pnpm bench lipschitz`: cvxpy with SCS for LipSDP-Neuron, NumPy for singular values of a circular convolution.

Reads one JSON object from standard input and prints one, with "cpu" in milliseconds:
  {"do": "lip-sdp", "widths", "matrices"} -> {"bound", "versions"}, matrices as rows of outputs
  {"do": "singular-values", "kernel", "shape", "size"} -> {"largest", "versions"}
Needs `pip install numpy cvxpy scs`. The environment says how many threads BLAS takes.
"""

import json
import sys
import time

import numpy as np


def lip_sdp(widths, matrices):
    import cvxpy as cp
    import scs

    weights = [np.array(m).reshape(widths[i + 1], widths[i]) for i, m in enumerate(matrices)]
    if widths[0] > widths[1]:
        # The inequality depends on W1 W1' alone: its triangular factor makes it as small as it can be.
        weights[0] = np.linalg.qr(weights[0].T)[1].T
        widths = [widths[1], *widths[1:]]
    sizes = widths[:-1]
    at = np.cumsum([0, *sizes])
    hidden, whole = sum(sizes[1:]), sum(sizes)
    before, after = np.zeros((hidden, whole)), np.zeros((hidden, whole))
    for i in range(len(weights) - 1):
        row = at[i + 1] - sizes[0]
        before[row : row + widths[i + 1], at[i] : at[i + 1]] = weights[i]
        after[row : row + widths[i + 1], at[i + 1] : at[i + 2]] = np.eye(widths[i + 1])
    first, last = np.zeros((whole, whole)), np.zeros((whole, whole))
    first[: sizes[0], : sizes[0]] = np.eye(sizes[0])
    last[at[-2] :, at[-2] :] = weights[-1].T @ weights[-1]
    squared, multipliers = cp.Variable(), cp.Variable(hidden, nonneg=True)
    coupling = before.T @ cp.diag(multipliers) @ after
    inequality = coupling + coupling.T - 2 * after.T @ cp.diag(multipliers) @ after + last - squared * first
    problem = cp.Problem(cp.Minimize(squared), [inequality << 0])
    start = time.process_time()
    problem.solve(solver=cp.SCS)
    cpu = 1e3 * (time.process_time() - start)
    return {"cpu": cpu, "bound": float(np.sqrt(squared.value)), "versions": f"cvxpy {cp.__version__}, SCS {scs.__version__} ({problem.status})"}


def singular_values(kernel, shape, size):
    weights = np.array(kernel).reshape(shape)
    best = np.inf
    for _ in range(4):
        start = time.process_time()
        values = np.linalg.svd(np.fft.fft2(weights, (size, size), axes=(0, 1)), compute_uv=False)
        best = min(best, time.process_time() - start)
    return {"cpu": 1e3 * best, "largest": float(values.max()), "versions": f"NumPy {np.__version__}"}


JOBS = {"lip-sdp": lip_sdp, "singular-values": singular_values}
job = json.load(sys.stdin)
print(json.dumps(JOBS[job.pop("do")](**job)))
