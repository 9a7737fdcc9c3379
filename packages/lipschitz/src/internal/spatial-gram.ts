import type { Kernel } from './arrays.js';
import { rowProduct, transposed } from './real-matrix.js';
import { roundUp } from './rounding.js';

/** Which side of a kernel its Gram operator belongs to. */
export type GramSide = 'inputs' | 'outputs';

/** The side of a kernel `[kh, kw, cin, cout]` with fewer channels, those of all phases of the stride counted; outputs if even. */
export function smallerSide([kh = 1, kw = 1, cin = 1, cout = 1]: readonly number[], [sy, sx]: readonly [number, number]): GramSide {
  return cout <= Math.min(sy, kh) * Math.min(sx, kw) * cin ? 'outputs' : 'inputs';
}

/** A kernel as one matrix `[rows, cols]` an offset. */
export interface Taps {
  readonly rows: number;
  readonly cols: number;
  readonly at: ReadonlyMap<string, { readonly y: number; readonly x: number; readonly matrix: Float64Array }>;
}

/** Taps of the polyphase parts, outputs by inputs, or transposed if `side` is the inputs. */
export function tapsOf({ shape, values }: Kernel, [sy, sx]: readonly [number, number], side: GramSide): Taps {
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
  if (side === 'outputs') return { rows: cout, cols, at };
  return { rows: cols, cols: cout, at: new Map([...at].map(([key, { y, x, matrix }]) => [key, { y: -y, x: -x, matrix: transposed(matrix, cout, cols) }])) };
}

/** The kernel of the operator times its transpose: `K ∗ Kᵀ`. */
export function square({ rows, cols, at }: Taps): Taps {
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
export function largestSums({ rows, cols, at }: Taps): readonly [number, number] {
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
 * For each channel i of a side, `Σ_j |K ∗ Kᵀ|_ij q_j / q_i` over all offsets, rounded outward.
 *
 * @remarks
 * The largest of them bounds the largest eigenvalue of `K ∗ Kᵀ`, σ², whatever the positive weights q; and with T the diagonal matrix of them, `K ∗ Kᵀ ≼ T`.
 */
export function gramRowSums(kernel: Kernel, strides: readonly [number, number], side: GramSide, weights?: Float64Array): Float64Array {
  const taps = tapsOf(kernel, strides, side);
  const { rows, at } = square(taps);
  const products = square({ ...taps, at: new Map([...taps.at].map(([key, tap]) => [key, { ...tap, matrix: tap.matrix.map(Math.abs) }])) });
  const sums = new Float64Array(rows);
  const slack = (taps.cols * taps.at.size + 16) * 2 ** -52;
  for (const [key, { matrix }] of at) {
    const magnitudes = products.at.get(key)!.matrix;
    matrix.forEach((value, k) => {
      const [i, j] = [Math.floor(k / rows), k % rows];
      sums[i] = sums[i]! + ((Math.abs(value) + slack * magnitudes[k]!) * (weights?.[j] ?? 1)) / (weights?.[i] ?? 1);
    });
  }
  return sums.map((sum) => roundUp(sum, at.size * rows + 8));
}
