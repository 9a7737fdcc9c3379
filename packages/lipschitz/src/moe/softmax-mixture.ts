import type { Bound, SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys } from '@moe/core';
import { roundUp } from '../internal/rounding.js';
import { commonDomain, expectSound, times } from '../internal/sound.js';
import { type SoundDisagreement, expectExperts } from './disagreement.js';

/** Options of {@link softmaxMixtureBound}. */
export interface SoftmaxMixtureOptions {
  /** A sound bound of each expert, all in one norm. */
  readonly experts: readonly SoundBound[];
  readonly disagreement: SoundDisagreement;
  /** Bound of the difference of any two scores: {@link scoreDifferenceBound} or {@link pairBound}. */
  readonly router: SoundBound;
}

/**
 * Lipschitz bound of a softmax mixture `Σ pᵢ fᵢ`: `max Lᵢ + D_f D_s / 4`.
 *
 * @remarks
 * The Jacobian is a mean of the experts' plus the covariance, under the gates, of outputs and scores, which is at most a quarter of the product of their ranges. Tight for two experts
 * at even gates. Experts that agree pay nothing for their router, however steep it is. Holds for
 * - `softmaxRouter`, everywhere or in a ball;
 * - top-k with renormalised gates, within a route: give it the chosen experts only;
 * - top-k with unnormalised gates, within a route: give it every expert, with bound 0 for those not chosen, and a disagreement that is no smaller than any chosen output;
 * - the difference of two class logits: give it bounds and disagreement of the experts' differences.
 *
 * @returns Where experts, disagreement and router all hold.
 * @throws {@link ArgumentError} if anything is a lower bound or an estimate, or norms differ.
 *
 * @example
 * softmaxMixtureBound({ experts, disagreement: affineDisagreement({ experts: weights, input, radius: 1 }), router: scoreDifferenceBound({ kernel }) });
 */
export function softmaxMixtureBound(options: SoftmaxMixtureOptions): Bound<'upper'> {
  expectKnownKeys('softmaxMixtureBound', options, ['experts', 'disagreement', 'router']);
  const { experts, disagreement, router } = options;
  const norm = expectExperts('softmaxMixtureBound', experts);
  expectDisagreement('softmaxMixtureBound', disagreement, norm);
  expectSound('softmaxMixtureBound', 'router', router, norm);
  const value = roundUp(Math.max(...experts.map((bound) => bound.value)) + times(disagreement.value, router.value) / 4, 3);
  return { value, status: 'upper', norm, domain: commonDomain([...experts, disagreement, router]), method: 'softmax-mixture' };
}

export function expectDisagreement(caller: string, disagreement: SoundDisagreement, norm: SoundBound['norm']): void {
  expectArgument(caller, 'disagreement.kind', disagreement.kind === 'disagreement', "be 'disagreement'", disagreement.kind, 'It is a distance of outputs, not a slope.');
  expectSound(caller, 'disagreement', disagreement, norm);
}
