import { type Scalar, type Tensor2D, mul, sum, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { DIRECTIONS } from './directions.js';
import { klRow } from './kl-loss.js';
import type { LossName } from './losses.js';
import { type RowLoss, perExample } from './row-loss.js';
import { goalRow } from './targeted-goal.js';

const at = (rowLoss: RowLoss, logits: number[], label: number): number => rowLoss(Float32Array.from(logits), 0, logits.length, label, new Float32Array(logits.length), 0).loss;

describe('klRow', () => {
  it('is the divergence from the clean distribution', () => {
    // From (1/2, 1/2) to (4/5, 1/5): ½ ln (½ / ⅘) + ½ ln (½ / ⅕) = ½ ln 25/16.
    expect(at(klRow(Float32Array.of(0, 0)), [Math.log(4), 0], 0)).toBeCloseTo(Math.log(25 / 16) / 2, 6);
    expect(at(klRow(Float32Array.of(2, -1, 0.5)), [2, -1, 0.5], 1)).toBe(0);
  });

  it('is a finite number for confident rows, where float32 probabilities are 0', () => {
    expect(at(klRow(Float32Array.of(200, 0)), [0, 200], 0)).toBeCloseTo(200, 4);
  });

  it('has the gradient of central differences', () => {
    const clean = klRow(Float32Array.of(1, 0, -1, 0.3, 0.2, 0.1));
    const loss = (z: Tensor2D) => sum(mul(perExample('kl', clean, z, tensor1d([0, 2], 'int32')), [1, -2])) as Scalar;
    expectGradient((z) => loss(z as Tensor2D), tensor2d([[0.5, 1.2, -0.3], [2, 0.1, 0.4]]));
  });

  it('has on the engine the direction that it has on the host', () => {
    const [clean, logits] = [createRng(1).normal(20, 0, 3), createRng(2).normal(20, 0, 3)];
    const expected = new Float32Array(20);
    for (let row = 0; row < 4; row++) klRow(clean)(logits, row * 5, 5, 0, expected, row);
    tidy(() => void expect(DIRECTIONS.kl(tensor2d(logits, [4, 5]), tensor2d(clean, [4, 5]))).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 }));
  });
});

describe('goalRow', () => {
  it.each([
    ['cw', [3, 1, 0.5, -1], 0.5 - 3],
    ['ce', [3, 1, 0.5, -1], -Math.log(1 + Math.exp(2.5) + Math.exp(0.5) + Math.exp(-1.5))],
    ['dlr', [3, 1, 0.5, -1], -2.5 / 3.25], // (0.5 - 3) / (3 - (0.5 - 1) / 2)
    // Fewer than four classes have no fourth logit: the gap between target and label.
    ['dlr', [3, 1, 0.5], -2.5],
  ] as [LossName, number[], number][])('of %s at %j towards class 2', (loss, logits, expected) => {
    expect(at(goalRow(loss, Int32Array.of(2)), logits, 0)).toBeCloseTo(expected, 6);
  });

  it.each(['ce', 'cw', 'dlr'] as const)('of %s for two classes is highest where the target leads', (loss) => {
    const goal = goalRow(loss, Int32Array.of(1));
    const values = [-2, -1, 0, 1, 2].map((lead) => at(goal, [0, lead], 0));
    expect(values.every((value, i) => i === 0 || value > values[i - 1]!)).toBe(true);
  });

  it.each(['ce', 'cw', 'dlr'] as const)('of %s has the gradient of central differences', (loss) => {
    const goal = goalRow(loss, Int32Array.of(2, 0));
    const value = (z: Tensor2D) => sum(mul(perExample('goal', goal, z, tensor1d([0, 1], 'int32')), [1, -2])) as Scalar;
    expectGradient((z) => value(z as Tensor2D), tensor2d([[1, 0.2, -0.7, 0.5], [0.3, 2, 0.1, -1]]));
  });
});
