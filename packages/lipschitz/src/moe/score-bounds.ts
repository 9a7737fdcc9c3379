import type { Bound, OperatorNorm, SoundBound } from '@moe/core';
import { expectKnownKeys } from '@moe/core';
import { type Kernel, type KernelInput, readKernel } from '../internal/arrays.js';
import { checkLinearOptions, globalBound } from '../internal/bounds.js';
import { denseNorm } from '../internal/dense-norms.js';
import { frobeniusNorm } from '../internal/gram.js';
import { PAIR_FACTOR } from '../internal/pair-factor.js';
import { transposed } from '../internal/real-matrix.js';
import { roundUp } from '../internal/rounding.js';
import { expectSound } from '../internal/sound.js';
import { dualNorm, pairs } from '../internal/vectors.js';

/** A linear router, and the norm of perturbations of its input. */
export interface ScoreBoundOptions {
  /** `[in, E]`; fold a temperature into it. */
  readonly kernel: KernelInput;
  /** @defaultValue 'L2' */
  readonly norm?: OperatorNorm;
}

function read(caller: string, options: ScoreBoundOptions): { norm: OperatorNorm; experts: Float64Array[]; kernel: Kernel } {
  expectKnownKeys(caller, options, ['kernel', 'norm']);
  const { norm = 'L2' } = options;
  checkLinearOptions(caller, norm);
  const kernel = readKernel(caller, options.kernel, ['in', 'experts']);
  const [inputs, count] = kernel.shape as [number, number];
  const rows = transposed(kernel.values, inputs, count);
  return { norm, kernel, experts: Array.from({ length: count }, (_, e) => rows.slice(e * inputs, (e + 1) * inputs)) };
}

/**
 * Largest Lipschitz constant among the differences of two scores of a linear router: `max ‖sᵢ − sⱼ‖_q`.
 *
 * @example
 * scoreDifferenceBound({ kernel, norm: 'Linf' }).value; // largest sum of |sᵢ − sⱼ|
 */
export function scoreDifferenceBound(options: ScoreBoundOptions): Bound<'exact'> {
  const { norm, experts } = read('scoreDifferenceBound', options);
  const largest = pairs(experts.length).reduce((best, [i, j]) => Math.max(best, dualNorm(experts[i]!.map((value, d) => value - experts[j]![d]!), norm)), 0);
  return globalBound(roundUp(largest, 2), 'exact', norm, 'largest-score-difference');
}

/**
 * The same from a bound of the whole score vector, of a router of any kind: c times it, c = √2, 2, 1 for L2, Linf, L1.
 *
 * @example
 * pairBound(productBound(routerNetwork).bound);
 */
export function pairBound(bound: SoundBound): Bound<'upper'> {
  expectSound('pairBound', 'bound', bound);
  return { value: roundUp(PAIR_FACTOR[bound.norm] * bound.value, 2), status: 'upper', norm: bound.norm, domain: bound.domain, method: `pair of ${bound.method}` };
}

/**
 * Lipschitz constant, from `norm` to L2, of the scores of a linear router less their mean: what a projection on the simplex sees of them.
 *
 * @remarks
 * Gram iteration for L2; for the other norms the root of the summed squares of the rows' dual norms.
 */
export function centredScoreBound(options: ScoreBoundOptions): Bound<'upper'> {
  const { norm, experts, kernel } = read('centredScoreBound', options);
  const [inputs, count] = kernel.shape as [number, number];
  const means = Float64Array.from({ length: inputs }, (_, d) => experts.reduce((sum, row) => sum + row[d]!, 0) / count);
  const centred = experts.map((row) => row.map((value, d) => value - means[d]!));
  // What the rounding of means and differences can be worth, by the lengths of the rows.
  const rounding = roundUp(frobeniusNorm(Float64Array.from(experts, (row) => dualNorm(row, norm))) * (count + 4) * 2 ** -51, 4);
  const flat = Float64Array.from(centred.flatMap((row) => Array.from(row)));
  const value = norm === 'L2' ? denseNorm({ shape: [count, inputs], values: flat }, norm).value : frobeniusNorm(Float64Array.from(centred, (row) => dualNorm(row, norm)));
  return globalBound(roundUp(value + rounding, 1), 'upper', norm, 'centred-scores');
}
