import { createRng } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, type Tensor4D, add, conv2d, matMul, mean, sum, square, tensor, tidy } from '@tensorflow/tfjs-core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { GateNetwork, Weights } from '../types.js';
import { convGap } from './conv-gap.js';
import { gapFc } from './gap-fc.js';

const rng = createRng(11);
const normal = (shape: number[], name: string): Tensor => tensor(rng.stream(name).normal(shape.reduce((a, b) => a * b, 1)), shape);
const weightsOf = (gate: GateNetwork, shape: number[], E: number): Weights =>
  Object.fromEntries(Object.entries(gate.init(shape, E, createRng(3))).map(([name, { value }]) => [name, value]));
const disposeAll = (tensors: Weights): void => Object.values(tensors).forEach((t) => t.dispose());

const reference = {
  gapFc: ({ kernel, bias }: Weights, x: Tensor): Tensor => add(matMul(mean(x, [1, 2]) as Tensor2D, kernel as Tensor2D), bias!),
  convGap: ({ kernel }: Weights, x: Tensor): Tensor => mean(conv2d(x as Tensor4D, kernel as Tensor4D, 1, 'valid'), [1, 2]),
};

describe.each([
  ['gapFc()', gapFc(), reference.gapFc, 5 * 3 + 3, 5],
  ['convGap({ kernel: 3 })', convGap(), reference.convGap, 9 * 5 * 3, 45],
  ['convGap({ kernel: 1 })', convGap({ kernel: 1 }), reference.convGap, 5 * 3, 5],
] as const)('%s', (_, gate, expected, parameters, fanIn) => {
  it('equals its definition on images that are not square', () => {
    tidy(() => {
      const weights = weightsOf(gate, [6, 4, 5], 3);
      const images = normal([2, 6, 4, 5], 'images');
      expect(gate.logits(weights, images)).toHaveShape([2, 3]);
      expect(gate.logits(weights, images)).toBeAllClose(expected(weights, images), { atol: 1e-5 });
    });
  });

  it(`has ${parameters} trainable parameters, spread over ±1/√fan-in`, () => {
    const initial = Object.values(gate.init([6, 4, 5], 3, createRng(1)));
    expect(initial.reduce((total, { value }) => total + value.size, 0)).toBe(parameters);
    expect(initial.every(({ trainable }) => trainable)).toBe(true);
    for (const { value } of initial) {
      expect(value).toBeWithin(-1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));
      expect(Math.max(...value.dataSync().map(Math.abs))).toBeGreaterThan(0.5 / Math.sqrt(fanIn));
    }
    initial.forEach(({ value }) => value.dispose());
  });

  it('has the gradients of central differences in images and weights', () => {
    const weights = weightsOf(gate, [3, 4, 2], 2);
    const images = normal([2, 3, 4, 2], 'small');
    expectGradient((x) => sum(square(gate.logits(weights, x))) as Scalar, images);
    for (const name of Object.keys(weights)) {
      expectGradient((w) => sum(square(gate.logits({ ...weights, [name]: w }, images))) as Scalar, weights[name]!);
    }
    images.dispose();
    disposeAll(weights);
  });

  it('keeps one tensor, and none when it throws', () => {
    const weights = weightsOf(gate, [4, 4, 2], 2);
    const [images, wrong] = [normal([1, 4, 4, 2], 'ok'), normal([1, 4, 4, 3], 'wrong')];
    expectTensorsKept(1, () => gate.logits(weights, images)).dispose();
    expectTensorsKept(0, () => expect(() => gate.logits(weights, wrong)).toThrow(`${gate.name}: kernel must have shape`));
    expectTensorsKept(0, () => expect(() => gate.logits({}, images)).toThrow(`${gate.name}: weights must hold kernel`));
    disposeAll({ images, wrong, ...weights });
  });

  it('starts the same from the same seed', () => {
    tidy(() => {
      expect(weightsOf(gate, [4, 4, 2], 2).kernel!).toBeAllClose(weightsOf(gate, [4, 4, 2], 2).kernel!, { rtol: 0, atol: 0 });
    });
  });
});

describe('gapFc', () => {
  it('takes rows without positions, as a plain linear layer', () => {
    tidy(() => {
      const weights = weightsOf(gapFc(), [5], 3);
      const rows = normal([2, 5], 'flat');
      expect(gapFc().logits(weights, rows)).toBeAllClose(add(matMul(rows as Tensor2D, weights.kernel as Tensor2D), weights.bias!));
    });
  });
});

describe('convGap', () => {
  it('refuses images smaller than the filter, and other filters', () => {
    tidy(() => {
      const gate = convGap();
      const weights = weightsOf(gate, [3, 3, 2], 2);
      expect(() => gate.logits(weights, normal([1, 2, 3, 2], 'tiny'))).toThrow('convGap: inputs must be at least 3 × 3 pixels, got [1, 2, 3, 2].');
      expect(() => convGap({ kernel: 5 as never })).toThrow('convGap: kernel must be one of 1, 3, got 5.');
    });
  });
});
