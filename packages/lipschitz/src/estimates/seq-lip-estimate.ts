import type { Bound } from '@moe/core';
import { createRng, expectInteger, expectKnownKeys } from '@moe/core';
import { globalBound } from '../internal/bounds.js';
import { rowProduct, symmetricEigen, transposed } from '../internal/real-matrix.js';
import { chainOf } from '../lip-sdp/chain.js';
import type { NetworkNode } from '../network/nodes.js';

export interface SeqLipOptions {
  readonly seed: number;
  /** Starting patterns of every activation. @defaultValue 5 */
  readonly restarts?: number;
}

/** Thin factors `W = U diag(s) V` of a matrix `[m, n]`: U `[m, r]`, V `[r, n]`, r the smaller side. */
function factors(w: Float64Array, m: number, n: number): { u: Float64Array; s: Float64Array; v: Float64Array; r: number } {
  if (m > n) {
    const flipped = factors(transposed(w, m, n), n, m);
    return { u: transposed(flipped.v, n, m), s: flipped.s, v: transposed(flipped.u, n, n), r: n };
  }
  const { values, vectors } = symmetricEigen(rowProduct(w, w, m, m, n, true), m);
  const s = values.map((value) => Math.sqrt(Math.max(0, value)));
  const v = rowProduct(vectors, transposed(w, m, n), m, n, m);
  for (let k = 0; k < v.length; k++) v[k] = s[Math.floor(k / n)]! > 0 ? v[k]! / s[Math.floor(k / n)]! : 0;
  return { u: transposed(vectors, m, m), s, v, r: m };
}

/**
 * Largest `‖A diag(σ) B‖` over σ in [0, 1]ⁿ that turns find: the best σ for two directions, then the best directions for σ.
 *
 * @param a - `[p, n]`. @param bt - Bᵀ `[q, n]`.
 */
function largestPattern(a: Float64Array, bt: Float64Array, p: number, q: number, n: number, start: Float64Array): number {
  const times = (matrix: Float64Array, rows: number, x: Float64Array): Float64Array =>
    Float64Array.from({ length: rows }, (_, r) => x.reduce((sum, value, i) => sum + value * matrix[r * n + i]!, 0));
  const back = (matrix: Float64Array, x: Float64Array): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => x.reduce((sum, value, r) => sum + value * matrix[r * n + i]!, 0));
  const unit = (x: Float64Array): Float64Array => {
    const size = Math.hypot(...x);
    return size === 0 ? x : x.map((value) => value / size);
  };
  let sigma = start;
  let right = unit(Float64Array.from({ length: q }, (_, i) => 1 + ((i * 0.618) % 1)));
  let best = 0;
  for (let turn = 0; turn < 200; turn++) {
    const inner = back(bt, right);
    const left = unit(times(a, p, inner.map((value, i) => value * sigma[i]!)));
    const outer = back(a, left);
    right = unit(times(bt, q, outer.map((value, i) => value * sigma[i]!)));
    const products = back(bt, right).map((value, i) => value * outer[i]!);
    const value = products.reduce((sum, product, i) => sum + product * sigma[i]!, 0);
    // Directions settle first; then σ opens where it helps.
    if (turn % 10 === 9) {
      sigma = products.map((product) => (product > 0 ? 1 : 0));
      if (value <= best * (1 + 1e-9) && turn > 20) break;
      best = Math.max(best, value);
    }
  }
  return best;
}

/**
 * SeqLip: an estimate of the Lipschitz constant in L2 of layers one after the other, usually far below their product.
 *
 * @remarks
 * Splits the product at every activation, `Π max_σ ‖S'_{i+1} V_{i+1} diag(σ) U_i S'_i‖` with the singular values shared between neighbours. Were each maximum over activation patterns
 * found, it would be a bound; turns find a local one, so it may lie below the true constant. Therefore an estimate, and typed so: use {@link lipSdp} for certificates.
 *
 * @param network - as for {@link lipSdp}.
 * @param options - see {@link SeqLipOptions}.
 * @see {@link https://arxiv.org/abs/1805.10965 | Virmaux & Scaman 2018}. Differs from it: patterns by turns instead of greedily.
 *
 * @example
 * seqLipEstimate(network, { seed: 1 }).value;
 */
export function seqLipEstimate(network: NetworkNode, options: SeqLipOptions): Bound<'estimate'> {
  expectKnownKeys('seqLipEstimate', options, ['seed', 'restarts']);
  const { seed, restarts = 5 } = options;
  expectInteger('seqLipEstimate', 'restarts', restarts, 1);
  const { widths, matrices } = chainOf('seqLipEstimate', network, undefined);
  const parts = matrices.map((matrix, i) => factors(matrix, widths[i + 1]!, widths[i]!));
  const rng = createRng(seed).stream('seqLip');
  const split = (s: Float64Array, whole: boolean): Float64Array => (whole ? s : s.map(Math.sqrt));
  let value = 1;
  for (let i = 0; i + 1 < parts.length; i++) {
    const [before, after] = [parts[i]!, parts[i + 1]!];
    const n = widths[i + 1]!;
    const [front, rear] = [split(before.s, i === 0), split(after.s, i + 2 === parts.length)];
    const a = after.v.map((each, k) => each * rear[Math.floor(k / n)]!);
    const bt = transposed(before.u, n, before.r).map((each, k) => each * front[Math.floor(k / n)]!);
    const starts = Array.from({ length: restarts }, (_, start) => (start === 0 ? new Float64Array(n).fill(1) : Float64Array.from(rng.at(i, start).uniform(n))));
    value *= Math.max(...starts.map((start) => largestPattern(a, bt, after.r, before.r, n, start)));
  }
  return globalBound(value, 'estimate', 'L2', `seq-lip(${restarts})`);
}
