import { createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { type Scalar, type Tensor, type Tensor2D, type Tensor4D, add, conv2d, dispose, matMul, mean, square, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { softmaxRouter } from '../routers/softmax-router.js';
import { topKRouter } from '../routers/top-k-router.js';
import { describeRouter } from '../testing/index.js';
import type { GateNetwork, Weights } from '../types.js';
import { convFc } from './conv-fc.js';
import { equalGate } from './equal-gate.js';
import { firstChannelsGate } from './first-channels-gate.js';
import { fixedRandomGate } from './fixed-random-gate.js';

const images = (): Tensor => tensor(createRng(5).normal(2 * 4 * 5 * 3), [2, 4, 5, 3]);
const weightsOf = (gate: GateNetwork): Weights => Object.fromEntries(Object.entries(gate.init([4, 5, 3], 2, createRng(3))).map(([name, { value }]) => [name, value]));

describeRouter('topKRouter with convFc', (numExperts, topK) => topKRouter({ numExperts, topK, gate: convFc({ features: 6 }) }), { topK: [2], onDevice: true });

describe('convFc', () => {
  it('equals its definition, and has 9CF + F + FE + E parameters', () => {
    tidy(() => {
      const gate = convFc({ features: 7 });
      const weights = weightsOf(gate);
      const { convKernel, convBias, kernel, bias } = weights as Record<string, Tensor>;
      const expected = add(matMul(add(mean(conv2d(images() as Tensor4D, convKernel as Tensor4D, 1, 'valid'), [1, 2]), convBias!) as Tensor2D, kernel as Tensor2D), bias!);
      expect(gate.logits(weights, images())).toBeAllClose(expected, { atol: 1e-5 });
      expect(Object.values(weights).reduce((total, { size }) => total + size, 0)).toBe(9 * 3 * 7 + 7 + 7 * 2 + 2);
    });
  });

  it('has the gradient of central differences', () => {
    const gate = convFc({ features: 2 });
    const weights = weightsOf(gate);
    const x = images();
    expectGradient((t) => sum(square(gate.logits(weights, t))) as Scalar, x);
    dispose([x, ...Object.values(weights)]);
  });
});

describe('gates without anything to learn', () => {
  it('fixedRandomGate multiplies channel means by a matrix that no optimiser moves', () => {
    tidy(() => {
      const initial = fixedRandomGate().init([4, 5, 3], 2, createRng(3));
      expect(initial['kernel']!.trainable).toBe(false);
      const expected = matMul(mean(images(), [1, 2]) as Tensor2D, initial['kernel']!.value as Tensor2D);
      expect(fixedRandomGate().logits({ kernel: initial['kernel']!.value }, images())).toBeAllClose(expected, { atol: 1e-5 });
    });
  });

  it('firstChannelsGate takes channel means as scores', () => {
    tidy(() => {
      const means = mean(images(), [1, 2]).arraySync() as number[][];
      expect(firstChannelsGate({ numExperts: 2 }).logits({}, images())).toBeAllClose(means.flatMap((row) => row.slice(0, 2)), { atol: 1e-6 });
      expect(() => firstChannelsGate({ numExperts: 4 }).logits({}, images())).toThrow('firstChannelsGate: inputs must have at least 4 channels, got [2, 4, 5, 3].');
    });
  });

  it('equalGate makes a mixture the mean of its experts', () => {
    tidy(() => {
      const router = softmaxRouter({ numExperts: 4, gate: equalGate({ numExperts: 4 }) });
      expect(router.route({}, images(), { training: false }).combineWeights).toBeAllClose(new Array<number>(8).fill(0.25));
    });
  });
});
