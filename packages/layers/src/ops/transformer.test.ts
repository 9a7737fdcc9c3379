import { createRng } from '@moe/core';
import { expectGradient } from '@moe/testing';
import { type Tensor, type Tensor3D, add, dispose, matMul, mul, reshape, slice, softmax, square, stack, sum, tensor, tensor1d, tensor2d, tidy, transpose } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { attention, feedForward, gelu, layerNorm } from './transformer.js';

const random = (shape: number[], name: string): Tensor => tensor(createRng(4).stream(name).normal(shape.reduce((a, b) => a * b, 1), 0, 0.5), shape);
const weights = (width: number): Record<string, Tensor> =>
  Object.fromEntries(['query', 'key', 'value', 'out'].flatMap((name) => [[`${name}/kernel`, random([width, width], name)], [`${name}/bias`, random([width], `${name}b`)]]));

describe('layerNorm', () => {
  it('centres and scales the last axis', () => {
    tidy(() => {
      // (1, 3): mean 2, variance 1.
      expect(layerNorm(tensor2d([[1, 3]]), tensor1d([2, 2]), tensor1d([0, 1]))).toBeAllClose([-2, 3], { atol: 1e-5 });
    });
  });

  it('has the gradient of central differences', () => {
    const [x, gamma, beta, up] = [random([2, 3, 4], 'x'), random([4], 'g'), random([4], 'b'), random([2, 3, 4], 'up')];
    expectGradient((t) => tidy(() => sum(mul(layerNorm(t, gamma, beta), up))), x);
    expectGradient((t) => tidy(() => sum(mul(layerNorm(x, t, beta), up))), gamma);
    dispose([x, gamma, beta, up]);
  });
});

describe('gelu', () => {
  it('is the tanh approximation', () => {
    tidy(() => {
      expect(gelu(tensor1d([0, 1, -1, 3]))).toBeAllClose([0, 0.841192, -0.158808, 2.996363], { atol: 1e-5 });
    });
    const x = random([6], 'gelu');
    expectGradient((t) => tidy(() => sum(square(gelu(t)))), x);
    x.dispose();
  });
});

describe('attention', () => {
  it('is a softmax of scaled products, head by head', () => {
    tidy(() => {
      const [x, w] = [random([2, 3, 4], 'x') as Tensor3D, weights(4)];
      const project = (name: string): Tensor => add(matMul(reshape(x, [6, 4]), w[`${name}/kernel`]!), w[`${name}/bias`]!);
      const examples = [0, 1].map((b) => {
        const part = (name: string, head: number): Tensor => reshape(slice(reshape(project(name), [2, 3, 2, 2]), [b, 0, head, 0], [1, 3, 1, 2]), [3, 2]);
        const heads = [0, 1].map((h) => matMul(softmax(mul(matMul(part('query', h), transpose(part('key', h))), 1 / Math.sqrt(2))), part('value', h)));
        return reshape(transpose(stack(heads), [1, 0, 2]), [3, 4]);
      });
      const expected = add(matMul(reshape(stack(examples), [6, 4]), w['out/kernel']!), w['out/bias']!);
      expect(attention(x, x, 2, (name) => w[name]!)).toBeAllClose(expected, { atol: 1e-5 });
    });
  });

  it('has the gradient of central differences, for queries that are no keys too', () => {
    const [x, q, w] = [random([1, 3, 4], 'x') as Tensor3D, random([1, 2, 4], 'q') as Tensor3D, weights(4)];
    expectGradient((t) => tidy(() => sum(square(attention(t as Tensor3D, t as Tensor3D, 2, (name) => w[name]!)))), x, { rtol: 2e-2 });
    expectGradient((t) => tidy(() => sum(square(attention(q, x, 2, (name) => (name === 'key/kernel' ? t : w[name]!))))), w['key/kernel']!, { rtol: 2e-2 });
    dispose([x, q, ...Object.values(w)]);
  });
});

describe('feedForward', () => {
  it('keeps the other axes', () => {
    tidy(() => {
      const w: Record<string, Tensor> = { 'in/kernel': random([4, 5], 'a'), 'in/bias': random([5], 'b'), 'out/kernel': random([5, 4], 'c'), 'out/bias': random([4], 'd') };
      const x = random([2, 3, 4], 'x');
      const flat = feedForward(reshape(x, [6, 4]), (name) => w[name]!);
      expect(feedForward(x, (name) => w[name]!)).toBeAllClose(reshape(flat, [2, 3, 4]), { atol: 1e-6 });
    });
  });
});
