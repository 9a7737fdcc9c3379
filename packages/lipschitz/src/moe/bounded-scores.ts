import type { SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys } from '@moe/core';
import { type VectorInput, readVector } from '../internal/arrays.js';
import { PAIR_FACTOR } from '../internal/pair-factor.js';
import { UNIT, roundDown, roundUp } from '../internal/rounding.js';
import { domainRadius, expectSound } from '../internal/sound.js';
import type { RouterScores } from './router-scores.js';

/**
 * Scores of any router around one input, from their values there and a bound of the whole score vector.
 *
 * @remarks
 * The difference of two scores changes by at most c times what the vector changes, c = √2, 2, 1 for L2, Linf, L1. For a router behind other layers, the bound is that of
 * everything from the model's input to the scores, routes before it fixed.
 *
 * @param options - `gateLogits` `[E]`, for instance a row of `Routing.gateLogits`; `bound` of scores as a function of the input.
 * @throws {@link ArgumentError} if the bound is a lower bound or an estimate.
 *
 * @example
 * boundedScores({ gateLogits, bound: productBound(routerNetwork).bound });
 */
export function boundedScores(options: { readonly gateLogits: VectorInput; readonly bound: SoundBound }): RouterScores {
  expectKnownKeys('boundedScores', options, ['gateLogits', 'bound']);
  const { bound } = options;
  expectSound('boundedScores', 'bound', bound);
  const gateLogits = readVector('boundedScores', 'gateLogits', options.gateLogits);
  const limit = domainRadius(bound.domain);
  const slope = roundUp(PAIR_FACTOR[bound.norm] * bound.value, 2);
  const margin = (one: number, other: number): number => gateLogits[one]! - gateLogits[other]!;
  return {
    gateLogits,
    norm: bound.norm,
    exact: false,
    limit,
    slope: () => slope,
    largestGap: (one, other, radius) => {
      expectArgument('boundedScores', 'radius', radius <= limit, `be at most ${limit}, where the bound holds`, radius);
      const rise = slope === 0 || radius === 0 ? 0 : slope * radius;
      return rise - margin(one, other) + 4 * UNIT * (rise + Math.abs(margin(one, other)));
    },
    distance: (one, other) => (margin(one, other) > 0 ? Math.min(limit, slope === 0 ? Infinity : roundDown(margin(one, other) / slope, 3)) : 0),
  };
}
