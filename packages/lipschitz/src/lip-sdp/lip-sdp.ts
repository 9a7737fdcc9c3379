import type { Bound } from '@moe/core';
import { NumericsError, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { globalBound } from '../internal/bounds.js';
import { denseNorm } from '../internal/dense-norms.js';
import { roundUp } from '../internal/rounding.js';
import type { NetworkNode } from '../network/nodes.js';
import { type RoundedChain, chainOf } from './chain.js';
import { minimise } from './lbfgs.js';
import { firstGram, lastMatrix, recurse } from './recursion.js';
import { verifies } from './verify.js';

export interface LipSdpOptions {
  /** One multiplier a neuron (tighter) or one a layer (quicker). @defaultValue 'neuron' */
  readonly multipliers?: 'neuron' | 'layer';
  /** Bounds `logit a − logit b` instead of all outputs: a scalar, so that a certificate divides a margin by it without a further factor. */
  readonly difference?: readonly [a: number, b: number];
  /** Steps of L-BFGS at most; the bound is sound after any number. @defaultValue 200 */
  readonly steps?: number;
  /** Stops when ten steps gain less than this share. @defaultValue 3e-4 */
  readonly tolerance?: number;
}

/** Bound of {@link lipSdp}, and how it was found. */
export interface LipSdpBound {
  readonly bound: Bound<'upper'>;
  /** Multipliers by layer, each by neuron: a certificate that anyone can check. */
  readonly multipliers: readonly Float64Array[];
  /** Steps taken. */
  readonly steps: number;
}

/** Exponents of the smoothed largest eigenvalue; each starts where the last ended. */
const POWERS = [32, 512];

/** Largest eigenvalue of a symmetric positive matrix from above. */
const largestEigenvalue = (matrix: Float64Array, n: number): number => denseNorm({ shape: [n, n], values: matrix }, 'L2').value;

/** Logarithms of the multipliers that are feasible for any weights: the same for all neurons of a layer, `1 / λ_max(M)`. */
function feasibleStart(chain: RoundedChain, gram: Float64Array): Float64Array {
  const { widths } = chain;
  const layers: number[] = [];
  const logs = (): Float64Array => Float64Array.from(layers.flatMap((log, i) => new Array<number>(widths[i + 1]!).fill(log)));
  for (let i = 1; i < widths.length - 1; i++) {
    const m = i === 1 ? gram : lastMatrix(chain, gram, logs());
    layers.push(-Math.log(Math.max(largestEigenvalue(m, widths[i]!), 1e-300)));
  }
  return logs();
}

/** By layer instead of by neuron, and back. */
function tied({ widths }: RoundedChain) {
  const hidden = widths.slice(1, -1);
  const starts = hidden.map((_, i) => hidden.slice(0, i).reduce((sum, n) => sum + n, 0));
  return {
    spread: (layers: Float64Array): Float64Array => Float64Array.from(hidden.flatMap((n, i) => new Array<number>(n).fill(layers[i]!))),
    gather: (slopes: Float64Array): Float64Array => Float64Array.from(hidden, (n, i) => slopes.subarray(starts[i], starts[i]! + n).reduce((sum, value) => sum + value, 0)),
    first: (logs: Float64Array): Float64Array => Float64Array.from(starts, (at) => logs[at]!),
  };
}

/**
 * Roots of the multipliers by layer, moved inward by a share t, so that no X is singular where the best ones are.
 *
 * @remarks
 * With `Λ_i' = (1−t)^(2i−1) Λ_i`, by induction `X_i' ≥ (1−t)^(2i) (X_i + 2t/(1−t) Λ_i)`, so L² grows by at most `(1−t)^(−2h)` for h hidden layers.
 */
function interior({ widths }: RoundedChain, logs: Float64Array, share: number): Float64Array[] {
  const roots: Float64Array[] = [];
  for (let i = 1, at = 0; i < widths.length - 1; at += widths[i]!, i++) {
    const factor = (1 - share) ** (i - 0.5);
    roots.push(logs.slice(at, at + widths[i]!).map((log) => factor * Math.exp(log / 2)));
  }
  return roots;
}

/** Minimises L² over the multipliers; returns the best seen. */
function optimise(chain: RoundedChain, gram: Float64Array, start: Float64Array, { multipliers, steps, tolerance }: Required<Omit<LipSdpOptions, 'difference'>>) {
  const { spread, gather, first } = tied(chain);
  const byLayer = multipliers === 'layer';
  const neurons = (point: Float64Array): Float64Array => (byLayer ? spread(point) : point);
  let point = byLayer ? first(start) : start;
  let best = { squared: Infinity, logs: start };
  let taken = 0;
  for (const power of POWERS) {
    const recent: number[] = [];
    const evaluate = (at: Float64Array) => {
      const logs = neurons(at);
      const found = recurse(chain, gram, logs, power);
      if (found === undefined) return undefined;
      if (found.squared < best.squared) best = { squared: found.squared, logs };
      return { ...found, gradient: () => (byLayer ? gather(found.gradient()) : found.gradient()) };
    };
    point = minimise(evaluate, point, steps - taken, ({ objective }) => {
      taken++;
      recent.push(objective);
      // The objective is the logarithm of L², of which a share of L is half.
      const before = recent.at(-11);
      return before !== undefined && before - objective < 2 * tolerance;
    });
  }
  return { ...best, taken };
}

/**
 * Lipschitz bound in L2 of layers one after the other, by LipSDP-Neuron or LipSDP-Layer without a solver.
 *
 * @remarks
 * Couples the layers through multipliers Λ_i, one a neuron: `M_i = W_i X_{i-1}⁻¹ W_iᵀ`, `X_i = 2Λ_i − Λ_i M_i Λ_i`, `L² = λ_max(M_l)`, which is the matrix
 * inequality of LipSDP by Schur complements. Any multipliers with positive definite X_i give a bound; L-BFGS looks for the best from a start that is always feasible.
 * What it finds is then proved: the inequality is factorised once more with the rounding of float64 taken off. Cost a step: `Σ n_i³`.
 *
 * Activations must never fall (ReLU, sigmoid, tanh, …). A leaky one counts as any slope in [0, 1]. Convolutions and other linear layers become matrices, so keep
 * them small. Differs from Fazlyab et al.: LipSDP-Network, whose coupling across neurons is not valid (Pauli et al. 2021), is left out.
 *
 * @param network - dense layers or convolutions with an activation between each two; at least one activation.
 * @param options - see {@link LipSdpOptions}.
 * @throws {@link ArgumentError} if layers do not follow one another, or an activation falls somewhere.
 * @throws {@link NumericsError} if float64 cannot prove the inequality, for weights of very different sizes.
 * @see {@link https://arxiv.org/abs/1906.04893 | Fazlyab et al. 2019} for LipSDP; {@link https://arxiv.org/abs/2404.04375 | Xu & Sivaranjani 2024} for the start, "ECLipsE-Fast".
 *
 * @example
 * const { bound } = lipSdp(sequence([dense({ kernel }), relu(), dense({ kernel: head })]), { difference: [3, 5] });
 * const radius = (logits[3] - logits[5]) / bound.value;
 */
export function lipSdp(network: NetworkNode, options: LipSdpOptions = {}): LipSdpBound {
  expectKnownKeys('lipSdp', options, ['multipliers', 'difference', 'steps', 'tolerance']);
  const { multipliers = 'neuron', difference, steps = 200, tolerance = 3e-4 } = options;
  expectOneOf('lipSdp', 'multipliers', multipliers, ['neuron', 'layer']);
  expectInteger('lipSdp', 'steps', steps, 0);
  expectNumber('lipSdp', 'tolerance', tolerance, 0);
  const chain = chainOf('lipSdp', network, difference);
  const gram = firstGram(chain);
  const start = feasibleStart(chain, gram);
  const { squared, logs, taken } = optimise(chain, gram, start, { multipliers, steps, tolerance });
  const method = `lip-sdp-${multipliers}(${taken})`;
  const result = (value: number, roots: readonly Float64Array[]): LipSdpBound => ({
    bound: globalBound(value, 'upper', 'L2', method),
    multipliers: roots.map((root) => root.map((each) => each ** 2)),
    steps: taken,
  });
  if (squared === 0) return result(0, interior(chain, logs, 0));
  for (let slack = 1e-11; slack < 1e-3; slack *= 4) {
    const roots = interior(chain, logs, slack);
    const proved = squared * (1 - slack) ** (-2 * roots.length) * (1 + slack);
    if (verifies(chain, gram, roots, proved)) return result(roundUp(Math.sqrt(proved), 4), roots);
  }
  throw new NumericsError(`lipSdp: the matrix inequality must hold beyond rounding, got no proof within 0.1 % of ${Math.sqrt(squared)}. Use productBound.`);
}
