import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, dispose, ones, softmax, tensor } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { assertRouterGradient } from './assert-router-gradient.js';
import { gapFc } from './gates/gap-fc.js';
import { buildPlan } from './plans/build-plan.js';
import { topKMaskOnDevice } from './plans/on-device.js';
import { hashRouter } from './routers/hash-router.js';
import { sigmoidRouter } from './routers/sigmoid-router.js';
import { topKRouter } from './routers/top-k-router.js';
import type { Router, Weights } from './types.js';

const gate = gapFc();
/** Chooses by an argmax with weight 1 and says that its gate learns. */
const dead: Router = {
  ...topKRouter({ numExperts: 3, gate }),
  name: 'deadRouter',
  route: (weights, inputs, context) =>
    buildPlan(() => {
      const gateLogits = gate.logits(weights, inputs);
      const best = topKMaskOnDevice(gateLogits, 1);
      return { gateLogits, gates: softmax(gateLogits), combineWeights: best, chosen: best.dataSync() };
    }, context),
};

describe('assertRouterGradient', () => {
  const inputs = (): Tensor => tensor(createRng(1).normal(60), [12, 5]);
  const check = (router: Router): void => {
    const initial = router.init([5], createRng(2));
    const weights: Weights = Object.fromEntries(Object.entries(initial).map(([name, { value }]) => [name, value]));
    const rows = inputs();
    try {
      expectTensorsKept(0, () => assertRouterGradient(router, weights, rows, createRng(3)));
    } finally {
      dispose([rows, ...Object.values(weights)]);
    }
  };

  it('is content with routers that learn, with state or without', () => {
    check(topKRouter({ numExperts: 3, gate }));
    check(sigmoidRouter({ numExperts: 3, topK: 2, gate }));
  });

  it('names the weights that the task loss does not reach', () => {
    expect(() => check(dead)).toThrow('assertRouterGradient: the task loss gives deadRouter no gradient for kernel, bias.');
  });

  it('refuses a router that says itself that it has no gradient', () => {
    expect(() => assertRouterGradient(hashRouter({ numExperts: 2, by: 'row' }), {}, ones([2, 2]), createRng(1))).toThrow("assertRouterGradient: router must have a gradient path, got 'hashRouter'.");
  });
});
