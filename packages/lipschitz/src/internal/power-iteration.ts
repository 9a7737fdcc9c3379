import { frobeniusNorm } from './gram.js';
import { UNIT } from './rounding.js';

/** A linear map and its transpose on float64 vectors. */
export interface LinearMap {
  readonly inputs: number;
  readonly outputs: number;
  /** Most products in one sum of either direction. */
  readonly terms: number;
  apply(x: Float64Array): Float64Array;
  applyTransposed(y: Float64Array): Float64Array;
  /** Bound of the rounding error of `apply` on a unit vector. */
  readonly error: number;
}

/** Fractional parts of multiples of the golden ratio: fixed, and orthogonal to nothing that weights contain by design. */
const fixedStart = (length: number): Float64Array => Float64Array.from({ length }, (_, i) => (((i + 1) * 0.6180339887498949) % 1) - 0.5 + 1e-3);

const normalised = (x: Float64Array, norm: number): Float64Array => x.map((value) => value / norm);

export function powerIterate(map: LinearMap, iterations: number, start: Float64Array | undefined): { value: number; vector: Float64Array } {
  const first = start ?? fixedStart(map.inputs);
  let vector = normalised(first, frobeniusNorm(first));
  let image = map.apply(vector);
  for (let t = 0; t < iterations; t++) {
    const back = map.applyTransposed(image);
    const norm = frobeniusNorm(back);
    if (norm === 0) break;
    vector = normalised(back, norm);
    image = map.apply(vector);
  }
  // The norms of image and vector are each rounded outward by their length.
  const slack = map.error + (2 * image.length + 2 * vector.length + 32) * UNIT * frobeniusNorm(image);
  return { value: Math.max(0, frobeniusNorm(image) - slack), vector };
}
