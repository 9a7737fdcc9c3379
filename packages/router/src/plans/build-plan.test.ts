import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, dispose, fill, grad, mul, slice, softmax, sum, tensor2d, tidy, zeros } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { switchLoss } from '../losses/switch-loss.js';
import { type Decision, buildPlan, planTensors, shutExperts, softmaxWhere } from './build-plan.js';

const decide = (extra: Partial<Decision> = {}) => (): Decision => {
  const gateLogits = tensor2d([[2, 1, 0], [0, 3, 1]]);
  return { gateLogits, gates: softmax(gateLogits), combineWeights: tensor2d([[1, 0, 0], [0, 0.5, 0.5]]), chosen: [1, 0, 0, 0, 1, 1], ...extra };
};

describe('buildPlan', () => {
  it('groups what was chosen, and knows the share that was dropped', () => {
    tidy(() => {
      const plan = buildPlan(decide({ wanted: 4 }), { training: false });
      expect(plan.kind === 'sparse' && [Array.from(plan.assignment.tokenOfSlot), Array.from(plan.assignment.expertOffsets)]).toEqual([[0, 1, 1], [0, 1, 2, 3]]);
      expect(plan.droppedFraction).toBe(0.25);
      expect(plan.auxLoss).toBeAllClose(0);
    });
  });

  it('makes a plan of the kind that was decided', () => {
    tidy(() => {
      const slots = { dispatch: zeros([1, 2, 3]), combine: zeros([1, 2, 3]) } as NonNullable<Decision['slots']>;
      const { chosen: _, ...onDevice } = decide()();
      expect(buildPlan(() => onDevice, { training: false }).kind).toBe('device');
      expect(buildPlan(() => ({ ...onDevice, slots }), { training: false }).kind).toBe('soft');
    });
  });

  it('relaxes the gradient and keeps the values', () => {
    tidy(() => {
      const first = tensor2d([[1, 0]]);
      const weights = (context: Parameters<typeof buildPlan>[1]) => (z: typeof first) =>
        buildPlan(() => ({ gateLogits: z, gates: softmax(z), combineWeights: tensor2d([[1, 0]]), chosen: [1, 0] }), context).combineWeights;
      const relaxed = weights({ training: false, gate: { temperature: 2 } });
      const z = tensor2d([[1, 0]]);
      expect(relaxed(z)).toBeAllClose([1, 0], { rtol: 0, atol: 0 });
      // d/dz₀ of softmax(z/2)₀ is s(1-s)/2 with s = σ(.5) = .622459.
      const slope = 0.622459 * 0.377541 / 2;
      expect(grad((x) => sum(slice(relaxed(x as typeof first), [0, 0], [1, 1])))(z)).toBeAllClose([slope, -slope], { atol: 1e-6 });
    });
  });

  it('relaxes in standard deviations of the row, whatever the scale of its scores', () => {
    tidy(() => {
      const gradient = (scores: number[], relative: boolean): number[] => {
        const weights = (z: Tensor): Tensor => buildPlan(() => ({ gateLogits: z as Tensor2D, gates: z as Tensor2D, combineWeights: tensor2d([[1, 0]]), chosen: [1, 0] }), { training: false, gate: { temperature: 0.5, relative } }).combineWeights;
        return Array.from(grad((z) => sum(slice(weights(z), [0, 0], [1, 1])))(tensor2d([scores])).dataSync());
      };
      // Scores (m + d, m - d) have deviation d, so both become a softmax of (2, -2), s = σ(4) = .982014, with slope s(1-s)/(d/2).
      expect(gradient([3, 1], true)).toBeAllClose([0.0353254, -0.0353254], { atol: 1e-6 });
      expect(gradient([300, 100], true)).toBeAllClose([0.000353254, -0.000353254], { atol: 1e-8 });
      expect(gradient([300, 100], false)).toEqual([0, 0]);
      expect(gradient([1, 1], true).every(Number.isFinite)).toBe(true);
    });
  });

  it('detaches the weights and keeps their values', () => {
    tidy(() => {
      const z = tensor2d([[1, 0]]);
      const weights = (gate: 'hard' | 'detached') => (x: Tensor): Tensor => buildPlan(() => ({ gateLogits: x as Tensor2D, gates: x as Tensor2D, combineWeights: softmax(x) as Tensor2D, chosen: [1, 1] }), { training: false, gate }).combineWeights;
      expect(weights('detached')(z)).toBeAllClose(softmax(z), { rtol: 0, atol: 0 });
      const slope = (gate: 'hard' | 'detached') => grad((x) => sum(mul(weights(gate)(x), tensor2d([[1, 0]]))))(z);
      expect(slope('hard')).toBeAllClose([0.196612, -0.196612], { atol: 1e-6 });
      expect(slope('detached')).toBeAllClose([0, 0], { rtol: 0, atol: 0 });
    });
  });

  it('keeps the tensors of the plan and nothing else', () => {
    const plan = expectTensorsKept(5, () => buildPlan(() => ({ ...decide()(), auxLoss: switchLoss(tensor2d([[0.5, 0.5]]), tensor2d([[1, 0]])), updates: { bias: fill([3], 1) } }), { training: true }));
    expect(planTensors(plan)).toHaveLength(5);
    dispose(planTensors(plan));
  });

  it('refuses masks and choices of other sizes', () => {
    expectTensorsKept(0, () => {
      expect(() => buildPlan(decide(), { training: false, mask: [true] })).toThrow('buildPlan: context.mask must have one entry per row, 2, got 1.');
      expect(() => buildPlan(decide({ chosen: [1] }), { training: false })).toThrow('buildPlan: chosen must have one entry per row and expert, 6, got 1.');
    });
  });
});

describe('scores of a choice', () => {
  it('give experts that are not allowed a gate of exactly 0', () => {
    tidy(() => {
      expect(softmax(shutExperts(tensor2d([[1, 5, 1]]), [true, false, true]))).toBeAllClose([0.5, 0, 0.5]);
    });
  });

  it('are softmaxed over the chosen experts, also where all their gates underflow', () => {
    tidy(() => {
      expect(softmaxWhere(tensor2d([[0, -500, -500]]), tensor2d([[0, 1, 1]]))).toBeAllClose([0, 0.5, 0.5]);
    });
  });
});
