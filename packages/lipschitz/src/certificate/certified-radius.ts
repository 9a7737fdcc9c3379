import type { SoundBound } from '@moe/core';
import { expectArgument, expectNumber, expectOneOf } from '@moe/core';
import { NORMS } from '../internal/bounds.js';
import { PAIR_FACTOR } from '../internal/pair-factor.js';
import { roundDown } from '../internal/rounding.js';

/**
 * Radius within which no perturbation changes the predicted class.
 *
 * @remarks
 * `margin / (c · L)`, c = √2, 2, 1 for L2, Linf, L1: the difference of two logits changes by at most c times the change of the logits. Only a sound bound is
 * accepted, by type and again at run time. A bound that holds in a ball certifies no more than that ball. Rounded inward.
 *
 * @param margin - logit of the predicted class less the largest other one; at 0 or below nothing is certified.
 * @param bound  - bound of the logits as a function of the input.
 * @returns Radius in the norm of the bound, in input units; ∞ for a constant network.
 * @throws {@link ArgumentError} if the bound is a lower bound or an estimate, or its norm differs from that of its domain.
 * @see {@link https://arxiv.org/abs/1802.04034 | Tsuzuku et al. 2018}, Prop. 1.
 *
 * @example
 * certifiedRadius(1.2, productBound(network).bound);
 */
export function certifiedRadius(margin: number, bound: SoundBound): number {
  expectNumber('certifiedRadius', 'margin', margin);
  expectOneOf('certifiedRadius', 'bound.status', bound.status, ['exact', 'upper']);
  expectOneOf('certifiedRadius', 'bound.norm', bound.norm, NORMS);
  const { value, norm, domain } = bound;
  expectArgument('certifiedRadius', 'bound.value', value >= 0, 'be a number ≥ 0', value);
  const limit = domain === 'global' ? Infinity : domain.radius;
  expectArgument('certifiedRadius', 'bound.domain', domain === 'global' || domain.norm === norm, `be 'global' or a ball in ${norm}`, JSON.stringify(domain));
  if (margin <= 0) return 0;
  return Math.min(limit, roundDown(margin / (PAIR_FACTOR[norm] * value), 3));
}
