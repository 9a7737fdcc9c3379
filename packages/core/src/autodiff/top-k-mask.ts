import '../gradients.js';
import { type Tensor, type Tensor2D, customGrad, tensor2d, zerosLike } from '@tensorflow/tfjs-core';
import { expectInteger, expectShape } from '../checks.js';

/** Whether `a` ranks before `b`; NaN ranks last. */
const before = (a: number, b: number): boolean => a > b || (Number.isNaN(b) && !Number.isNaN(a));

/**
 * Indices of the `k` largest entries of each row, largest first; ties go to the lowest index, NaN ranks last.
 *
 * @param values  - row-major `[T,E]`.
 * @param columns - E.
 * @param k       - how many to choose, in `[1, E]`.
 * @returns Row-major `[T,k]`.
 */
export function topKIndices(values: ArrayLike<number>, columns: number, k: number): Int32Array {
  const rows = columns === 0 ? 0 : values.length / columns;
  const chosen = new Int32Array(rows * k);
  const best = new Float64Array(k);
  for (let row = 0; row < rows; row++) {
    const at = row * k;
    let filled = 0;
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column]!;
      let place = filled;
      while (place > 0 && before(value, best[place - 1]!)) place--;
      if (place >= k) continue;
      if (filled < k) filled++;
      for (let i = filled - 1; i > place; i--) {
        best[i] = best[i - 1]!;
        chosen[at + i] = chosen[at + i - 1]!;
      }
      best[place] = value;
      chosen[at + place] = column;
    }
  }
  return chosen;
}

/**
 * 1 at the `k` largest entries of each row and 0 elsewhere; no gradient flows through it.
 *
 * @remarks
 * tfjs has no gradient for `TopK`, and an index that only feeds a mask still breaks the tape; this helper does not.
 * Ties go to the lowest index. NaN is never chosen before a number.
 *
 * @param x - scores `[T,E]`.
 * @param k - how many to choose, in `[1, E]`.
 * @returns Mask `[T,E]`, float32; the caller disposes it.
 * @throws {@link ArgumentError} if `k` is out of range.
 *
 * @example
 * const sparse = mul(gates, topKMask(gates, 2));
 */
export function topKMask(x: Tensor2D, k: number): Tensor2D {
  const { T, E } = expectShape('topKMask', { x }, ['T', 'E']);
  expectInteger('topKMask', 'k', k, 1, E);
  return customGrad((input) => {
    const mask = new Float32Array(T * E);
    const chosen = topKIndices((input as Tensor).dataSync(), E, k);
    chosen.forEach((column, i) => (mask[Math.floor(i / k) * E + column] = 1));
    return { value: tensor2d(mask, [T, E]), gradFunc: (dy) => zerosLike(dy as Tensor) };
  })(x) as Tensor2D;
}
