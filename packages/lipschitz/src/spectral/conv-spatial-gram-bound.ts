import type { Bound } from '@moe/core';
import { expectInteger, expectKnownKeys } from '@moe/core';
import { type Kernel, type KernelInput, readKernel } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';
import { type Pair, pairOf } from '../internal/conv-geometry.js';
import { rowProduct, transposed } from '../internal/real-matrix.js';
import { UNIT, roundUp } from '../internal/rounding.js';

export interface SpatialGramOptions {
  /** @defaultValue 1 */
  readonly strides?: Pair;
  /** Products of the kernel with itself; each doubles its reach. @defaultValue 2 */
  readonly iterations?: number;
}

/** A kernel as one matrix `[rows, cols]` an offset. */
interface Taps {
  readonly rows: number;
  readonly cols: number;
  readonly at: ReadonlyMap<string, { readonly y: number; readonly x: number; readonly matrix: Float64Array }>;
}

/** Taps of the polyphase parts, outputs by inputs, transposed where that leaves fewer rows. */
function tapsOf({ shape, values }: Kernel, [sy, sx]: readonly [number, number]): Taps {
  const [kh, kw, cin, cout] = shape as [number, number, number, number];
  const cols = Math.min(sy, kh) * Math.min(sx, kw) * cin;
  const at = new Map<string, { y: number; x: number; matrix: Float64Array }>();
  for (let a = 0; a < kh; a++) {
    for (let b = 0; b < kw; b++) {
      const [y, x] = [Math.floor(a / sy), Math.floor(b / sx)];
      const key = `${y},${x}`;
      const tap = at.get(key) ?? { y, x, matrix: new Float64Array(cout * cols) };
      const block = ((a % sy) * Math.min(sx, kw) + (b % sx)) * cin;
      for (let i = 0; i < cin; i++) for (let o = 0; o < cout; o++) tap.matrix[o * cols + block + i] = values[((a * kw + b) * cin + i) * cout + o]!;
      at.set(key, tap);
    }
  }
  if (cout <= cols) return { rows: cout, cols, at };
  return { rows: cols, cols: cout, at: new Map([...at].map(([key, { y, x, matrix }]) => [key, { y: -y, x: -x, matrix: transposed(matrix, cout, cols) }])) };
}

/** The kernel of the operator times its transpose: `K ∗ Kᵀ`. */
function square({ rows, cols, at }: Taps): Taps {
  const out = new Map<string, { y: number; x: number; matrix: Float64Array }>();
  for (const a of at.values()) {
    for (const b of at.values()) {
      const [y, x] = [a.y - b.y, a.x - b.x];
      // The other half mirrors this one.
      if (y < 0 || (y === 0 && x < 0)) continue;
      const product = rowProduct(a.matrix, b.matrix, rows, rows, cols);
      const tap = out.get(`${y},${x}`);
      if (tap === undefined) out.set(`${y},${x}`, { y, x, matrix: product });
      else product.forEach((value, k) => (tap.matrix[k] = tap.matrix[k]! + value));
    }
  }
  const half = Array.from(out.values());
  for (const { y, x, matrix } of half) if (y !== 0 || x !== 0) out.set(`${-y},${-x}`, { y: -y, x: -x, matrix: transposed(matrix, rows, rows) });
  return { rows, cols: rows, at: out };
}

/** Largest sums of magnitudes over all taps, along rows and along columns: the Linf norms of the operator and of its transpose. */
function sums({ rows, cols, at }: Taps): readonly [number, number] {
  const [along, down] = [new Float64Array(rows), new Float64Array(cols)];
  for (const { matrix } of at.values()) {
    matrix.forEach((value, k) => {
      const [r, c] = [Math.floor(k / cols), k % cols];
      along[r] = along[r]! + Math.abs(value);
      down[c] = down[c]! + Math.abs(value);
    });
  }
  return [roundUp(Math.max(...along), at.size * cols + 4), roundUp(Math.max(...down), at.size * rows + 4)];
}

/**
 * Sound bound of the spectral norm of a 2-D convolution for images of every size, with zero or circular padding.
 *
 * @remarks
 * `K ← K ∗ Kᵀ`, then `σ ≤ (max_o Σ |K_t[o]|)^(2^-t)`: the norm in Linf bounds the spectral one of a symmetric operator. No frequencies, so nothing depends on the image; kernels grow to
 * `2^t (k − 1) + 1` taps, so t = 1, 2, 3. {@link convBound} at a known size is tighter.
 *
 * @param kernel  - weights `[kh, kw, cin, cout]`; dilations change nothing.
 * @param options - see {@link SpatialGramOptions}.
 * @throws {@link ShapeError} if the kernel has not four axes; {@link NumericsError} if a weight is not finite.
 * @see {@link https://arxiv.org/abs/2402.00240 | Delattre et al. 2024}. Differs from it: strides, and rounding is part of the bound.
 *
 * @example
 * convSpatialGramBound(kernel, { iterations: 3 }).value;
 */
export function convSpatialGramBound(kernel: KernelInput, options: SpatialGramOptions = {}): Bound<'upper'> {
  expectKnownKeys('convSpatialGramBound', options, ['strides', 'iterations']);
  const { strides = 1, iterations = 2 } = options;
  const [sy, sx] = pairOf(strides);
  expectInteger('convSpatialGramBound', 'strides', Math.min(sy, sx), 1);
  expectInteger('convSpatialGramBound', 'iterations', iterations, 0, 6);
  let taps = tapsOf(readKernel('convSpatialGramBound', kernel, ['kh', 'kw', 'cin', 'cout']), [sy, sx]);
  const scales: number[] = [];
  const slacks: number[] = [];
  for (let t = 0; t < iterations; t++) {
    const [along, down] = sums(taps);
    const scale = Math.sqrt(along * down);
    if (scale === 0) break;
    const unit = new Map([...taps.at].map(([key, tap]) => [key, { ...tap, matrix: tap.matrix.map((value) => value / scale) }]));
    // An entry sums a product for every column and pair of taps; all errors together are at most this share of the product of both sums, which is 1.
    slacks.push((taps.cols + taps.at.size + 16) * 2 * UNIT);
    scales.push(scale);
    taps = square({ ...taps, at: unit });
  }
  const [along, down] = sums(taps);
  let bound = roundUp(Math.sqrt(along * down), 4);
  for (let t = scales.length - 1; t >= 0; t--) bound = roundUp(scales[t]! * Math.sqrt(bound + slacks[t]!), 8);
  return globalBound(bound, 'upper', 'L2', `spatial-gram-iteration(${iterations})`);
}
