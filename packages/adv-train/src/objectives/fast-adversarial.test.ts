import { abs, sub, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { fgsm } from '@moe/attacks';
import { describe, expect, it } from 'vitest';
import { objectiveContext } from '../testing/context.js';
import { linearModel, moeMlp } from '../testing/models.js';
import { tinyRun } from '../testing/tiny-run.js';
import { fastAdversarial } from './fast-adversarial.js';
import type { TrainingBatch } from './objective.js';
import { pgdAdversarial } from './pgd-adversarial.js';

const eps = 0.1;
const batch = (): TrainingBatch => ({ inputs: tensor(createRng(4).uniform(24, 0.2, 0.8), [6, 4]), labels: tensor1d([0, 1, 1, 0, 1, 0], 'int32'), ids: Int32Array.of(0, 1, 2, 3, 4, 5) });

/** Perturbation of a linear model with weights of both signs, `[6,4]` row by row. */
function perturbation(options: Parameters<typeof fastAdversarial>[0], epoch = 1): number[] {
  const target = linearModel([1.5, -0.7, 0.3, -2], 0.2);
  const moved = tidy(() => {
    const on = batch();
    const inputs = fastAdversarial(options).perturb!(target.model, on, objectiveContext({ exampleRng: createRng(epoch) }));
    return Array.from(sub(inputs, on.inputs).dataSync());
  });
  target.dispose();
  return moved;
}

/** Sign of each entry's gradient: along w for label 0, against it for label 1. */
const signs = [0, 1, 1, 0, 1, 0].flatMap((label) => [1, -1, 1, -1].map((sign) => (label === 0 ? sign : -sign)));

describe('fastAdversarial', () => {
  it('is training with FGSM from a uniform start and a step of 1.25 eps, bit for bit', async () => {
    const [a, b] = [moeMlp(1), moeMlp(1)];
    const first = await tinyRun(a, { objective: fastAdversarial({ eps, batchNorm: 'batch-updating' }) });
    const second = await tinyRun(b, { objective: pgdAdversarial({ attack: fgsm({ eps, start: 'uniform', goal: 'lastStep' }), batchNorm: 'batch-updating' }) });
    expect(a.values()).toEqual(b.values());
    expect(first).toEqual(second);
    a.dispose();
    b.dispose();
  });

  it('keeps the start: η + 1.25 ε · sign, cut at ε, so between ε/4 and ε along the gradient', () => {
    const along = perturbation({ eps, batchNorm: 'running' }).map((moved, i) => moved * signs[i]!);
    expect(along).toBeWithin(0.25 * eps - 1e-6, eps + 1e-6);
    const cut = along.filter((moved) => moved > eps - 1e-6).length;
    expect(cut).toBeWithin(12, 23); // η is above −ε/4 for 5/8 of the entries
    expect(perturbation({ eps, batchNorm: 'running' }, 2)).not.toEqual(perturbation({ eps, batchNorm: 'running' }));
  });

  it('as released discards the start: exactly FGSM on a linear model, whose gradient is the same everywhere', () => {
    expect(perturbation({ eps, batchNorm: 'running', legacy: true })).toBeAllClose(signs.map((sign) => sign * eps), { rtol: 1e-4 });
    expect(perturbation({ eps, stepSize: 0.04, batchNorm: 'running', legacy: true })).toBeAllClose(signs.map((sign) => sign * 0.04), { rtol: 1e-4 });
  });

  it('as released takes the gradient at the start, drawn for each example and within bounds', () => {
    const target = linearModel([1, 1, 1, 1], 0);
    tidy(() => {
      const edge = { ...batch(), inputs: tensor(Array.from({ length: 24 }, (_, i) => i % 2), [6, 4]) };
      const seen: Float32Array[] = [];
      const model = { ...target.model, forward: (...args: Parameters<typeof target.model.forward>) => (seen.push(Float32Array.from(args[0].dataSync())), target.model.forward(...args)) };
      fastAdversarial({ eps, batchNorm: 'running', legacy: true }).perturb!(model, edge, objectiveContext());
      const [start] = seen;
      expect(start!).toBeWithin(0, 1);
      const moved = abs(sub(tensor(start!, [6, 4]), edge.inputs)).dataSync();
      expect(moved).toBeWithin(0, eps + 1e-6);
      expect(new Set(moved).size).toBeGreaterThan(6);
    });
    target.dispose();
  });

  it('refuses what makes no sense', () => {
    expect(() => fastAdversarial({ batchNorm: 'running' } as never)).toThrow('fastAdversarial: eps must be a finite number ≥ 0, got undefined.');
    expect(() => fastAdversarial({ eps, batchNorm: 'running', legacy: true, compile: (fn) => fn })).toThrow('fastAdversarial: compile must be left out with legacy');
    expect(() => fastAdversarial({ eps } as never)).toThrow('fastAdversarial: batchNorm must be one of');
  });
});
