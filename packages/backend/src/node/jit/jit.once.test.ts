// The compiler of the engine tensorflow, where it is installed.
import {
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  add,
  backend,
  batchNorm,
  cast,
  clipByValue,
  conv2d,
  gather,
  grad,
  keep,
  losses,
  matMul,
  maxPool,
  mean,
  memory,
  moments,
  mul,
  randomUniform,
  relu,
  scalar,
  sign,
  square,
  sub,
  sum,
  tensor,
  tensor1d,
  tidy,
  variable,
} from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { createRng } from '@moe/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Jit, jit } from '../../jit/jit.js';
import { useBackend } from '../../use-backend.js';
import type { Binding } from '../binding.js';
import { findTensorflow } from '../installation.js';

const rng = createRng(1);
const random = (...shape: number[]): Tensor => tensor(rng.normal(shape.reduce((a, b) => a * b, 1)), shape);
const values = (x: Tensor) => Array.from(x.dataSync());
const handles = () => (backend() as unknown as { binding: Binding }).binding.getNumOfTensors();

type Function = (...args: Tensor[]) => Tensor[];

/** Calls a compiled function with fresh inputs until it is compiled, and compares every call, bit for bit. */
function expectEqualToEager(fn: Function, makeInputs: () => Tensor[], calls = 4): Jit<Function> {
  const compiled = jit(fn);
  for (let i = 0; i < calls; i++) {
    tidy(() => {
      const inputs = makeInputs();
      expect(compiled(...inputs).map(values)).toEqual(tidy(() => fn(...inputs)).map(values));
    });
  }
  return compiled;
}

/** A residual network of one block with batch norm in training, as a function of its weights. */
function residual(x: Tensor, [a, b, c, scale, offset, dense]: Tensor[]): Tensor2D {
  const normal = (y: Tensor4D): Tensor4D => {
    const { mean: m, variance } = moments(y, [0, 1, 2]);
    return batchNorm(y, m as never, variance as never, offset as never, scale as never, 1e-5);
  };
  const stem = relu(normal(conv2d(x as Tensor4D, a as Tensor4D, 1, 'same')));
  const block = relu(add(normal(conv2d(relu(normal(conv2d(stem, b as Tensor4D, 1, 'same'))), c as Tensor4D, 1, 'same')), stem)) as Tensor4D;
  return matMul(mean(maxPool(block, 2, 2, 'valid'), [1, 2]) as Tensor2D, dense as Tensor2D);
}
const weights = (): Tensor[] => [random(3, 3, 3, 8), random(3, 3, 8, 8), random(3, 3, 8, 8), random(8), random(8), random(8, 5)];
const images = () => random(6, 8, 8, 3);
const labels = () => tensor(Array.from({ length: 30 }, (_, i) => Number(i % 5 === (i / 5 + Math.floor(rng.uniform(1)[0]! * 5)) % 5)), [6, 5]);
const loss = (x: Tensor, y: Tensor, w: Tensor[]): Scalar => losses.softmaxCrossEntropy(y, residual(x, w)) as Scalar;

/** Gradients of the loss in the weights. */
function trainStep(x: Tensor, y: Tensor, ...state: Tensor[]): Tensor[] {
  const [w, velocity] = [state.slice(0, 6), state.slice(6)];
  const gradients = w.map((_, i) => grad((v) => loss(x, y, w.map((other, j) => (i === j ? v : other))))(w[i]!));
  const next = gradients.map((g, i) => add(mul(velocity[i]!, 0.9), g));
  return [...w.map((v, i) => sub(v, mul(next[i]!, 0.05))), ...next, loss(x, y, w)];
}

describe.skipIf(findTensorflow() === undefined)('jit on the engine tensorflow (skipped unless `pnpm backend install tensorflow` was run)', () => {
  beforeAll(async () => {
    await useBackend('tensorflow');
  });

  it('equals eager bit for bit: forward, input gradient, attack step and training step', () => {
    const compiled = [
      expectEqualToEager((x, ...w) => [residual(x, w)], () => [images(), ...weights()]),
      expectEqualToEager((x, y, ...w) => [grad((z) => loss(z, y, w))(x)], () => [images(), labels(), ...weights()]),
      expectEqualToEager(
        (x, start, y, ...w) => [clipByValue(sub(add(x, mul(sign(grad((z) => loss(z, y, w))(x)), 0.01)), start), -0.03, 0.03)],
        () => [images(), images(), labels(), ...weights()],
      ),
      expectEqualToEager(trainStep, () => [images(), labels(), ...weights(), ...weights().map((w) => mul(w, 0.1))]),
    ];
    for (const f of compiled) {
      expect(f.frozen).toEqual([]);
      f.dispose();
    }
  });

  it('runs as one call, keeps nothing, and frees its functions', () => {
    const x = random(4, 4);
    const f = jit((y: Tensor) => [sum(square(y)), mul(y, 2)]);
    const run = (g: (y: Tensor) => unknown, calls: number) => tidy(() => Array.from({ length: calls }, () => g(x)).length);
    run(f, 2);
    const [tensors, before] = [memory().numTensors, handles()];
    for (let i = 0; i < 500; i++) run(f, 1);
    for (let i = 0; i < 100; i++) {
      const other = jit((y: Tensor) => add(y, 1));
      run(other, 3);
      other.dispose();
    }
    expect([memory().numTensors, handles()]).toEqual([tensors, before]);
    f.dispose();
    expect(tidy(() => values(f(x)[0]!))).toEqual(tidy(() => values(sum(square(x)))));
    x.dispose();
  });

  it('tells apart calls in which one tensor is passed twice', () => {
    tidy(() => {
      const f = jit((a: Tensor, b: Tensor) => sub(a, b));
      const [x, y] = [tensor1d([1, 2]), tensor1d([5, 3])];
      for (let i = 0; i < 3; i++) expect(values(f(x, x))).toEqual([0, 0]);
      for (let i = 0; i < 3; i++) expect(values(f(x, y))).toEqual([-4, -1]);
      f.dispose();
    });
  });

  it('assigns variables at every call, and reads what it assigned', () => {
    // The tensors that they begin with go: they would keep the first values.
    const make = (...initial: number[]) => tidy(() => variable(tensor1d(initial)));
    const [v, w, untouched] = [make(1, 2), make(0, 0), make(7)];
    const f = jit((x: Tensor) => {
      v.assign(add(v, x));
      w.assign(square(v));
      return mul(v, x);
    });
    // Values are handed to the engine at the first use.
    tidy(() => [v, w, untouched].forEach((t) => square(t)));
    const before = { tensors: memory().numTensors, handles: handles() };
    tidy(() => {
      for (let i = 1; i < 6; i++) {
        expect(values(f(tensor1d([1, 10])))).toEqual([1 + i, 10 * (2 + 10 * i)]);
        expect(values(v)).toEqual([1 + i, 2 + 10 * i]);
        expect(values(w)).toEqual([(1 + i) ** 2, (2 + 10 * i) ** 2]);
      }
    });
    expect(memory().numTensors).toBe(before.tensors);
    expect(handles()).toBe(before.handles);
    expect(values(untouched)).toEqual([7]);
    w.dispose();
    expect(() => tidy(() => f(tensor1d([1, 10])))).toThrow(/a variable that the function assigns was disposed/);
    expect(values(v)).toEqual([6, 52]);
    f.dispose();
    for (const t of [v, untouched]) t.dispose();
  });

  it('refuses to assign in one call only', () => {
    const v = variable(scalar(1));
    let calls = 0;
    tidy(() => {
      const f = jit((x: Tensor) => {
        const y = square(x) as Scalar;
        if (calls++ === 0) v.assign(y);
        return y;
      });
      f(scalar(2));
      expect(() => f(scalar(2))).toThrow(/must do the same/);
    });
    v.dispose();
  });

  it('follows variables, passes closed-over tensors, and says when they are gone', () => {
    const v = variable(tensor1d([1, 2]));
    const bias = keep(tensor1d([10, 20]));
    const f = jit((x: Tensor) => add(mul(x, v), bias));
    tidy(() => {
      for (let i = 1; i < 5; i++) {
        v.assign(tensor1d([i, i]));
        expect(values(f(tensor1d([1, 2])))).toEqual([10 + i, 20 + 2 * i]);
      }
    });
    expect(f.frozen).toEqual([]);
    bias.dispose();
    expect(() => tidy(() => f(tensor1d([1, 2])))).toThrow(/closed over was disposed/);
    f.dispose();
    v.dispose();
  });

  it('tells a closed-over tensor from one that the function disposed, whose number in the engine it gets', () => {
    const c = tensor1d([10, 20]);
    const f = (x: Tensor) => {
      const squares = square(x);
      const sums = add(squares, 1);
      squares.dispose();
      return [add(sums, c)];
    };
    const compiled = jit(f);
    for (let i = 0; i < 4; i++) expect(tidy(() => values(compiled(tensor1d([i, 2]))[0]!))).toEqual([i * i + 11, 25]);
    compiled.dispose();
    c.dispose();
  });

  it('compiles the input gradient of a LayersModel, whose weights may change', () => {
    const model = sequential({ layers: [layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3, activation: 'relu' }), layers.flatten(), layers.dense({ units: 4 })] });
    const eager = (x: Tensor) => grad((y) => sum(square(model.apply(y) as Tensor)) as Scalar)(x);
    const f = jit(eager);
    for (let i = 0; i < 4; i++) {
      tidy(() => {
        model.setWeights(model.getWeights().map((w) => random(...w.shape)));
        const x = random(2, 6, 6, 2);
        expect(values(f(x))).toEqual(values(eager(x)));
      });
    }
    f.dispose();
    model.dispose();
  });

  it('lists large constants, and keeps them', () => {
    tidy(() => {
      const data = Array.from({ length: 20 }, (_, i) => i);
      const f = jit((x: Tensor) => add(mul(x, tensor1d(data)), tensor1d([1])));
      for (let i = 0; i < 3; i++) expect(values(f(scalar(2)))).toEqual(data.map((v) => 2 * v + 1));
      expect(f.frozen).toEqual([{ shape: [20], dtype: 'float32', usedBy: 'Mul' }]);
      f.dispose();
    });
  });

  it.each<[string, (x: Tensor) => Tensor, RegExp]>([
    ['draws', (x) => add(x, randomUniform([3])), /two calls.*must do the same, got a constant of shape \[3\] for the operation AddV2 that differed/],
    ['reads', (x) => mul(x, sum(x).dataSync()[0]!), /values must not be read/],
  ])('refuses a function that %s', (_, fn, message) => {
    const x = tensor1d([1, 2, 3]);
    const before = [memory().numTensors, handles()];
    expect(() => tidy(() => [jit(fn)].map((f) => [f(x), f(x)]).length)).toThrow(message);
    expect([memory().numTensors, handles()]).toEqual([before[0], before[1]! + 1]);
    x.dispose();
  });

  it('compiles gather with indices that are computed, and keeps its errors', () => {
    tidy(() => {
      const f = expectEqualToEager((x, i) => [gather(x, cast(mul(i, 2), 'int32')), grad((y) => sum(square(gather(y, i as Tensor1D))) as Scalar)(x)], () => [random(6, 2), tensor1d([1, 0, 2, 1], 'int32')]);
      const x = random(6, 2);
      expect(() => f(x, tensor1d([9, 0, 2, 1], 'int32'))).toThrow(/jit_\d+: indices\[0\] = \d+ is not in \[0, 6\)[^]*GatherV2/);
      expect(() => gather(x, tensor1d([6], 'int32'))).toThrow(/GatherV2:.*6 is not in \[0, 6\)/);
      f.dispose();
    });
  });

  it('refuses branches on values, counters, promises and results that are no tensors', () => {
    tidy(() => {
      let calls = 0;
      const counting = jit((x: Tensor) => mul(x, ++calls));
      counting(scalar(2));
      expect(() => counting(scalar(2))).toThrow(/must do the same/);
      const growing = jit((x: Tensor) => (++calls % 2 === 0 ? square(x) : mul(square(x), x)));
      growing(scalar(2));
      expect(() => growing(scalar(2))).toThrow(/must do the same, got/);
      expect(() => jit(async (x: Tensor) => x)(scalar(2))).toThrow(/the result must be a tensor.*got a promise/);
      expect(() => jit((x: Tensor, y: number) => mul(x, y))(scalar(2), 3)).toThrow(/the list of arguments\[1\] must be a tensor/);
    });
  });

  it('disposes what a refused call made, and nothing else', () => {
    const x = scalar(2);
    const outside = scalar(3);
    const before = memory().numTensors;
    let calls = 0;
    const f = jit((y: Tensor) => [outside, mul(y, ++calls)]);
    f(x)[1]!.dispose();
    expect(() => f(x)).toThrow(/must do the same/);
    expect(memory().numTensors).toBe(before);
    expect(values(outside)).toEqual([3]);
    for (const t of [x, outside]) t.dispose();
  });

  it('computes products in bfloat16 on request alone', () => {
    tidy(() => {
      const [x, w] = [random(4, 8, 8, 3) as Tensor4D, random(3, 3, 3, 16) as Tensor4D];
      const step = (y: Tensor4D) => grad((z) => sum(square(conv2d(z as Tensor4D, w, 1, 'same'))) as Scalar)(y);
      const f = jit(step, { precision: 'bfloat16' });
      const exact = values(step(x));
      expect([values(f(x)), values(f(x))]).toEqual([exact, exact]);
      const rough = values(f(x));
      const error = Math.sqrt(rough.reduce((total, v, i) => total + (v - exact[i]!) ** 2, 0) / exact.reduce((total, v) => total + v * v, 0));
      expect(error).toBeGreaterThan(1e-4);
      expect(error).toBeLessThan(1e-2);
      f.dispose();
    });
  });
});
