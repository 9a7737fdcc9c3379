import { type Scalar, type Tensor, type Tensor1D, grad, memory, mul, scalar, square, sub, sum, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { jit } from './jit.js';

describe('jit, on every engine', () => {
  const values = (x: Tensor) => Array.from(x.dataSync());

  it('computes what the function computes, at every call and shape', () => {
    expectTensorsKept(0, () =>
      tidy(() => {
        const f = jit((x: Tensor, { w, rest: [b] }: { w: Tensor; rest: [Tensor] }) => ({ y: sub(mul(x, w), b), all: [sum(x)] }));
        for (const [first, second] of [[1, 2], [3, 4], [5, 6], [7, 8]] as const) {
          const { y, all } = f(tensor1d([first, second]), { w: scalar(2), rest: [scalar(1)] });
          expect(values(y)).toEqual([2 * first - 1, 2 * second - 1]);
          expect(values(all[0]!)).toEqual([first + second]);
        }
        expect(values(f(tensor1d([1, 2, 3]), { w: scalar(1), rest: [scalar(1)] }).y)).toEqual([0, 1, 2]);
        f.dispose();
      }),
    );
  });

  it('has gradients within and without', () => {
    tidy(() => {
      const cube = (x: Tensor) => mul(square(x), x);
      const f = jit((x: Tensor1D) => grad((y) => sum(cube(y)))(x));
      const g = grad((x) => sum(jit(cube)(x)) as Scalar);
      for (const x of [1, 2, 3, 4]) {
        expect(values(f(tensor1d([x])))).toEqual([3 * x * x]);
        expect(values(g(tensor1d([x])))).toEqual([3 * x * x]);
      }
      f.dispose();
    });
  });

  it('inlines other compiled functions', () => {
    tidy(() => {
      const inner = jit((x: Tensor) => square(x));
      const outer = jit((x: Tensor) => sub(inner(x), x));
      for (const x of [1, 2, 3, 4]) expect(values(outer(scalar(x)))).toEqual([x * x - x]);
      outer.dispose();
    });
  });

  it('passes errors of the function on, and is usable after them', () => {
    const x = scalar(3);
    let fails = true;
    const f = jit((y: Tensor) => {
      const z = square(y);
      if (fails) throw new RangeError('no');
      return z;
    });
    const before = memory().numTensors;
    expect(() => tidy(() => f(x))).toThrow(RangeError);
    expect(memory().numTensors).toBe(before);
    fails = false;
    for (let i = 0; i < 4; i++) expect(tidy(() => f(x).dataSync()[0])).toBe(9);
    f.dispose();
    x.dispose();
  });

  it('refuses unknown options', () => {
    const identity = (x: Tensor) => x;
    expect(() => jit(identity, { precision: 'float16' as 'float32' })).toThrow(/jit: precision/);
    expect(() => jit(identity, { speed: 2 } as object)).toThrow(/jit:.*speed/);
  });
});
