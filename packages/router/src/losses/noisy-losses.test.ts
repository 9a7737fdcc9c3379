import { expectGradient } from '@moe/testing';
import { add, fill, slice, softmax, tensor1d, tensor2d, tidy, zeros } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { V_MOE_LOGITS } from '../internal/testing-fixtures.js';
import { importanceLoss } from './importance-loss.js';
import { loadLoss } from './load-loss.js';
import { balanceLosses } from './registry.js';
import { switchLoss } from './switch-loss.js';
import { zLoss } from './z-loss.js';

const logits = () => tensor2d(V_MOE_LOGITS);
const noisy = () => add(logits(), tensor2d(V_MOE_LOGITS.map((row, t) => row.map((_, e) => 0.1 * Math.cos(2.3 * t + 1.1 * e))))) as ReturnType<typeof logits>;
const none = () => zeros([6, 4]) as ReturnType<typeof logits>;

// Values of V-MoE's losses, from its formulas in float64.
describe('importanceLoss', () => {
  it('has the golden value, and the other convention is E/(E-1) of it', () => {
    tidy(() => {
      expect(importanceLoss(softmax(logits()), none())).toBeAllClose(0.0274770441, { rtol: 1e-5 });
      expect(importanceLoss(softmax(logits()), none(), { variance: 'sample' })).toBeAllClose((0.0274770441 * 4) / 3, { rtol: 1e-5 });
    });
  });

  it('is 0 when balanced and E - 1 when collapsed', () => {
    tidy(() => {
      expect(importanceLoss(fill([6, 4], 0.25), none())).toBeAllClose(0);
      expect(importanceLoss(tensor2d([[1, 0, 0, 0]]), zeros([1, 4]))).toBeAllClose(3);
      expect(importanceLoss(tensor2d([[1, 0, 0, 0]]), zeros([1, 4]), { variance: 'sample' })).toBeAllClose(4);
    });
  });
});

describe('loadLoss', () => {
  it.each([[1, 0.0417138533], [2, 0.0190299383], [3, 0.0332254404]])('has the golden value for k = %i', (topK, value) => {
    tidy(() => {
      expect(loadLoss(logits(), noisy(), { topK, std: 0.25 })).toBeAllClose(value, { rtol: 1e-4 });
    });
  });

  it('takes one deviation per entry, and leaves masked tokens out', () => {
    tidy(() => {
      expect(loadLoss(logits(), noisy(), { topK: 2, std: fill([6, 4], 0.25) })).toBeAllClose(0.0190299383, { rtol: 1e-4 });
      const [clean, disturbed] = [tensor2d(V_MOE_LOGITS.slice(0, 2)), noisy()];
      const mask = tensor1d([1, 1, 0, 0, 0, 0]);
      const expected = loadLoss(clean, slice(disturbed, [0, 0], [2, 4]), { topK: 1, std: 0.25 });
      expect(loadLoss(logits(), disturbed, { topK: 1, std: 0.25, mask })).toBeAllClose(expected);
    });
  });

  it('has the gradient of central differences in the clean scores', () => {
    const [clean, disturbed] = [logits(), noisy()];
    expectGradient((z) => loadLoss(z as typeof clean, disturbed, { topK: 2, std: 0.5 }), clean);
    clean.dispose();
    disturbed.dispose();
  });

  it('refuses to do without noise', () => {
    tidy(() => {
      expect(() => loadLoss(logits(), noisy(), { topK: 1, std: 0 })).toThrow('loadLoss: std must be > 0, got 0. Without noise the load is a step function.');
    });
  });
});

describe('zLoss', () => {
  it('is the squared log-partition', () => {
    tidy(() => {
      expect(zLoss(zeros([3, 4]))).toBeAllClose(Math.log(4) ** 2);
      // ln(e¹ + e²) = 2.313262, ln(e⁰ + e⁰) = ln 2; the second token does not count.
      expect(zLoss(tensor2d([[1, 2], [0, 0]]))).toBeAllClose((2.313262 ** 2 + Math.LN2 ** 2) / 2, { rtol: 1e-5 });
      expect(zLoss(tensor2d([[1, 2], [0, 0]]), { mask: tensor1d([1, 0]) })).toBeAllClose(2.313262 ** 2, { rtol: 1e-5 });
    });
  });

  it('needs the scores when a router calls it', () => {
    tidy(() => {
      expect(balanceLosses.zLoss(none(), none(), { logits: zeros([6, 4]) })).toBeAllClose(Math.log(4) ** 2);
      expect(() => balanceLosses.zLoss(none(), none())).toThrow('zLoss: options.logits must hold the router scores');
    });
  });

  it('has the gradient of central differences', () => {
    const z = logits();
    expectGradient((t) => zLoss(t as typeof z), z);
    z.dispose();
  });
});

describe('switchLoss on gates of V-MoE', () => {
  it('has the golden value of the GShard loss', () => {
    tidy(() => {
      const gates = softmax(logits());
      const first = tensor2d(V_MOE_LOGITS.map((row) => row.map((z) => Number(z === Math.max(...row)))));
      expect(switchLoss(gates, first)).toBeAllClose(1.0337720960, { rtol: 1e-5 });
    });
  });
});
