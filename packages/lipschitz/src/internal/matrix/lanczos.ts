import { type Hermitian, rowAt } from './hermitian.js';

/** Real and imaginary parts. */
type Vector = readonly [re: Float64Array, im: Float64Array];

const vector = (size: number): Vector => [new Float64Array(size), new Float64Array(size)];

function product({ size, re }: Hermitian, im: Float64Array, [xr, xi]: Vector, [yr, yi]: Vector): void {
  for (let i = 0; i < size; i++) {
    const [ur, ui] = [xr[i]!, xi[i]!];
    let [sr, si] = [0, 0];
    let at = rowAt(i);
    for (let j = 0; j < i; j++, at++) {
      const p = re[at]!;
      const q = im[at]!;
      sr += p * xr[j]! - q * xi[j]!;
      si += p * xi[j]! + q * xr[j]!;
      yr[j] = yr[j]! + p * ur + q * ui;
      yi[j] = yi[j]! + p * ui - q * ur;
    }
    yr[i] = sr + re[at]! * ur;
    yi[i] = si + re[at]! * ui;
  }
}

const length = ([re, im]: Vector): number => Math.sqrt(re.reduce((sum, x, i) => sum + x * x + im[i]! * im[i]!, 0));

/** Largest eigenvalue of a symmetric tridiagonal matrix, by bisection: x is above all of them where every pivot of `T − x` is negative. */
function largestOf(diagonal: readonly number[], beside: readonly number[]): number {
  let low = Math.max(...diagonal);
  let high = Math.max(...diagonal.map((d, i) => d + (beside[i - 1] ?? 0) + (i + 1 < diagonal.length ? beside[i]! : 0)));
  const above = (x: number): boolean => {
    let pivot = -1;
    return diagonal.every((d, i) => {
      pivot = d - x - (i === 0 ? 0 : (beside[i - 1]! * beside[i - 1]!) / pivot);
      return pivot < 0;
    });
  };
  for (let middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2) {
    if (above(middle)) high = middle;
    else low = middle;
  }
  return high;
}

const CHECK = 8;

/**
 * Nearly the largest eigenvalue of a positive matrix, from below, and how much it still grew at the end: Lanczos steps from a fixed vector.
 *
 * @remarks
 * An estimate, to be proved by {@link factorises}. Without making vectors orthogonal again: copies of the largest eigenvalue do no harm.
 */
export function largestRitzValue(matrix: Hermitian, steps: number): { value: number; growth: number } {
  const { size } = matrix;
  const im = matrix.im ?? new Float64Array(matrix.re.length);
  let before = vector(size);
  let here = vector(size);
  // Multiples of two irrational numbers: orthogonal to nothing that weights contain by design.
  for (let i = 0; i < size; i++) {
    here[0][i] = (((i + 1) * 0.6180339887498949) % 1) - 0.499;
    if (matrix.im !== undefined) here[1][i] = (((i + 1) * 0.4142135623730951) % 1) - 0.499;
  }
  let norm = length(here);
  const diagonal: number[] = [];
  const beside: number[] = [];
  let value = 0;
  for (let k = 1; ; k++) {
    for (const part of here) for (let i = 0; i < size; i++) part[i] = part[i]! / norm;
    const next = vector(size);
    product(matrix, im, here, next);
    let projection = 0;
    for (let i = 0; i < size; i++) projection += here[0][i]! * next[0][i]! + here[1][i]! * next[1][i]!;
    for (const part of [0, 1] as const) {
      for (let i = 0; i < size; i++) next[part][i] = next[part][i]! - projection * here[part][i]! - (k === 1 ? 0 : norm * before[part][i]!);
    }
    diagonal.push(projection);
    [before, here] = [here, next];
    norm = length(here);
    const ended = norm <= 1e-14 * projection || k === size;
    if (ended || k % CHECK === 0 || k === steps) {
      const found = largestOf(diagonal, beside);
      const growth = found - value;
      value = found;
      if (ended) return { value, growth: 0 };
      if (k >= steps || growth <= 1e-13 * value) return { value, growth };
    }
    beside.push(norm);
  }
}
