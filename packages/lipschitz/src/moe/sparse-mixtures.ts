import type { Bound, SoundBound } from '@moe/core';
import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { type VectorInput, readVector } from '../internal/arrays.js';
import { roundUp } from '../internal/rounding.js';
import { commonDomain, expectSound, times } from '../internal/sound.js';
import { vectorNorm } from '../internal/vectors.js';
import { type SoundDisagreement, expectExperts, readOutputs } from './disagreement.js';
import { expectDisagreement } from './softmax-mixture.js';

/** Options of {@link sparsemaxMixtureBound}. */
export interface SparsemaxMixtureOptions {
  readonly experts: readonly SoundBound[];
  readonly disagreement: SoundDisagreement;
  /** By {@link centredScoreBound}. */
  readonly router: SoundBound;
  /** Most experts that one input may have, on the domain. @defaultValue all */
  readonly maxActive?: number;
}

/**
 * Lipschitz bound of a sparsemax mixture: `max Lᵢ + D_f √min(E, 2k) ‖S_c‖ / 2`.
 *
 * @remarks
 * Between two inputs, half the change of the weights in L1 moves from some experts to others, which are at most D_f apart; the projection on the simplex does not expand in L2, and
 * at most 2k weights change. Global, sparse and without jumps.
 *
 * @throws {@link ArgumentError} if anything is a lower bound or an estimate, or norms differ.
 * @see {@link https://arxiv.org/abs/1602.02068 | Martins & Astudillo 2016} for sparsemax.
 */
export function sparsemaxMixtureBound(options: SparsemaxMixtureOptions): Bound<'upper'> {
  const caller = 'sparsemaxMixtureBound';
  expectKnownKeys(caller, options, ['experts', 'disagreement', 'router', 'maxActive']);
  const { experts, disagreement, router, maxActive = experts.length } = options;
  const norm = expectExperts(caller, experts);
  expectDisagreement(caller, disagreement, norm);
  expectSound(caller, 'router', router, norm);
  expectInteger(caller, 'maxActive', maxActive, 1, experts.length);
  const changed = Math.sqrt(Math.min(experts.length, 2 * maxActive));
  const value = roundUp(Math.max(...experts.map((bound) => bound.value)) + (times(disagreement.value, router.value) * changed) / 2, 5);
  return { value, status: 'upper', norm, domain: commonDomain([...experts, disagreement, router]), method: 'sparsemax-mixture' };
}

/** Options of {@link reluMixtureBound}: a mixture `Σ relu(zᵢ) fᵢ` as seen from one input. */
export interface ReluMixtureOptions {
  /** Scores at the input, `[E]`. */
  readonly gateLogits: VectorInput;
  /** A sound bound of each score. */
  readonly scoreBounds: readonly SoundBound[];
  /** Output of every expert at the input, `[E][M]`. */
  readonly outputs: readonly VectorInput[];
  /** A sound bound of each expert. */
  readonly experts: readonly SoundBound[];
  readonly radius: number;
}

/**
 * Lipschitz bound of a mixture with ReLU gates in a ball: the sum, over experts that can be active in it, of `Lip(zᵢ) · max ‖fᵢ‖ + max zᵢ · Lᵢ`.
 *
 * @see {@link https://arxiv.org/abs/2412.14711 | Wang et al. 2024 (ReMoE)} for the router.
 */
export function reluMixtureBound(options: ReluMixtureOptions): Bound<'upper'> {
  const caller = 'reluMixtureBound';
  expectKnownKeys(caller, options, ['gateLogits', 'scoreBounds', 'outputs', 'experts', 'radius']);
  const { scoreBounds, experts, radius } = options;
  expectNumber(caller, 'radius', radius, 0);
  const norm = expectExperts(caller, [...experts, ...scoreBounds], radius);
  const gateLogits = readVector(caller, 'gateLogits', options.gateLogits);
  expectArgument(caller, 'gateLogits', gateLogits.length === experts.length && scoreBounds.length === experts.length, `have ${experts.length} entries and bounds, one an expert`, `${gateLogits.length} and ${scoreBounds.length}`);
  const outputs = readOutputs(caller, options.outputs, experts.length);
  const value = experts.reduce((sum, { value: slope }, e) => {
    const scoreSlope = scoreBounds[e]!.value;
    const reach = roundUp(times(radius, scoreSlope), 1);
    // Rounded up wherever the sum of both lies.
    const score = gateLogits[e]! + reach + 2 ** -52 * (Math.abs(gateLogits[e]!) + reach);
    if (score <= 0) return sum;
    const size = roundUp(vectorNorm(outputs[e]!, norm) + times(radius, slope), 2);
    return sum + times(scoreSlope, size) + times(score, slope);
  }, 0);
  return { value: roundUp(value, 4 * experts.length + 4), status: 'upper', norm, domain: { norm, radius }, method: 'relu-mixture' };
}
