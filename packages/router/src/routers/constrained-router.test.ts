import { gapFc } from '../gates/gap-fc.js';
import { identityGate } from '../internal/testing-fixtures.js';
import { describeRouter } from '../testing/index.js';
import { constrainedRouter } from './constrained-router.js';
import { topKRouter } from './top-k-router.js';
import { scalar, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';

describeRouter('constrainedRouter', (numExperts, topK) => constrainedRouter({ router: topKRouter({ numExperts, topK, gate: gapFc() }), importance: 'relative' }), { onDevice: true });

const inner = topKRouter({ numExperts: 2, gate: identityGate });
const logits = () => tensor2d([[2, 0], [2, 0], [1, 0], [0, 1]]);

describe('constrainedRouter', () => {
  it('adds up the relative excess, and closes an expert that has too much', () => {
    tidy(() => {
      const router = constrainedRouter({ router: inner, importance: 'relative' });
      const first = router.route({ importance: tensor1d([0, 0]), passes: scalar(0) }, logits(), { training: true });
      // Three of four tokens: (3/4 - 1/2)/(1/2).
      expect(first.updates?.['importance']).toBeAllClose([0.5, -0.5]);
      const closed = router.route({ importance: tensor1d([0.6, -0.6]), passes: scalar(1) }, logits(), { training: true });
      expect(closed.combineWeights).toBeAllClose([0, 1, 0, 1, 0, 1, 0, 1]);
      expect(closed.updates?.['importance']).toBeAllClose([-0.4, 0.4]);
    });
  });

  it('averages the share over passes', () => {
    tidy(() => {
      const router = constrainedRouter({ router: inner, importance: 'mean', threshold: 0.2 });
      const { updates } = router.route({ importance: tensor1d([0.55, 0.45]), passes: scalar(4) }, logits(), { training: true });
      expect(updates?.['importance']).toBeAllClose([0.55 + 0.2 / 5, 0.45 - 0.2 / 5]);
      expect(updates?.['passes']).toBeAllClose(5);
      expect(router.route({ importance: tensor1d([0.71, 0.29]), passes: scalar(4) }, logits(), { training: true }).combineWeights).toBeAllClose([0, 1, 0, 1, 0, 1, 0, 1]);
    });
  });

  it('closes nothing in evaluation', () => {
    tidy(() => {
      const router = constrainedRouter({ router: inner, importance: 'relative' });
      expect(router.route({ importance: tensor1d([9, -9]), passes: scalar(1) }, logits(), { training: false }).combineWeights).toBeAllClose([1, 0, 1, 0, 1, 0, 0, 1]);
    });
  });
});
