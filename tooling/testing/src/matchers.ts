import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

type Numbers = Tensor | ArrayLike<number> | number;

const isTensor = (value: Numbers): value is Tensor => typeof value === 'object' && 'dataSync' in value;
const toArray = (value: Numbers): number[] => (typeof value === 'number' ? [value] : Array.from(isTensor(value) ? value.dataSync() : value));

interface CustomMatchers<R> {
  /** Every entry within `atol + rtol · |expected|`; NaN never passes. @defaultValue rtol 1e-5, atol 1e-6 */
  toBeAllClose(expected: Numbers, tolerance?: { rtol?: number; atol?: number }): R;
  /** Same shape, entry by entry. */
  toHaveShape(shape: readonly number[]): R;
  /** Every entry in `[low, high]`. */
  toBeWithin(low: number, high: number): R;
}

declare module 'vitest' {
  // The parameter must be declared exactly as vitest declares it.
  // oxlint-disable-next-line typescript/no-explicit-any
  interface Matchers<T = any> extends CustomMatchers<T> {}
}

expect.extend({
  toBeAllClose(received: Numbers, expected: Numbers, { rtol = 1e-5, atol = 1e-6 } = {}) {
    const actual = toArray(received);
    const wanted = toArray(expected);
    if (actual.length !== wanted.length) return { pass: false, message: () => `expected ${wanted.length} entries, got ${actual.length}` };
    const excess = actual.map((value, i) => Math.abs(value - wanted[i]!) - (atol + rtol * Math.abs(wanted[i]!)));
    const worst = excess.findIndex((value, i) => !(value <= 0) && (actual[i] !== wanted[i]));
    return {
      pass: worst < 0,
      message: () => (worst < 0 ? 'expected some entry to differ' : `entry ${worst} is ${actual[worst]}, expected ${wanted[worst]} (rtol ${rtol}, atol ${atol})`),
    };
  },
  toHaveShape(received: Tensor, shape: readonly number[]) {
    const pass = received.shape.length === shape.length && received.shape.every((size, i) => size === shape[i]);
    return { pass, message: () => `expected shape [${shape.join(',')}], got [${received.shape.join(',')}]` };
  },
  toBeWithin(received: Numbers, low: number, high: number) {
    const actual = toArray(received);
    const worst = actual.findIndex((value) => !(value >= low && value <= high));
    return { pass: worst < 0, message: () => `entry ${worst} is ${actual[worst]}, expected a value in [${low}, ${high}]` };
  },
});
