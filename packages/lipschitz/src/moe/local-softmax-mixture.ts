import type { Bound, SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import type { VectorInput } from '../internal/arrays.js';
import { roundDown, roundUp } from '../internal/rounding.js';
import { times } from '../internal/sound.js';
import { pairs } from '../internal/vectors.js';
import { apart, expectExperts, readOutputs } from './disagreement.js';
import type { RouterScores } from './router-scores.js';

/** A softmax mixture as seen from one input. */
export interface MixtureAtInput {
  /** Scores that the softmax is of, by {@link affineScores} or {@link boundedScores}. */
  readonly scores: RouterScores;
  /** Output of every expert at the input, `[E][M]`. */
  readonly outputs: readonly VectorInput[];
  /** A sound bound of each expert, in the norm of the scores. */
  readonly experts: readonly SoundBound[];
}

/** Enough for sums of E exponentials, each within a few units in the last place. */
const operations = (experts: number): number => 4 * experts + 32;

/** Interval of every gate on the ball. */
function gateIntervals(scores: RouterScores, radius: number): { low: number; high: number }[] {
  const experts = Array.from(scores.gateLogits.keys());
  return experts.map((i) => {
    const others = experts.filter((j) => j !== i);
    // zⱼ − zᵢ lies between −gap(j, i) and gap(i, j).
    const most = others.reduce((sum, j) => sum + Math.exp(scores.largestGap(i, j, radius)), 1);
    const least = others.reduce((sum, j) => sum + Math.exp(-scores.largestGap(j, i, radius)), 1);
    return { low: roundDown(1 / most, operations(experts.length)), high: Math.min(1, roundUp(1 / least, operations(experts.length))) };
  });
}

/** Largest `Σ pᵢ Lᵢ` over gates within their intervals that add up to 1. */
function largestMean(gates: readonly { low: number; high: number }[], values: readonly number[]): number {
  let left = 1 - gates.reduce((sum, { low }) => sum + low, 0);
  let mean = gates.reduce((sum, { low }, i) => sum + times(low, values[i]!), 0);
  for (const i of Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!)) {
    const moved = Math.max(0, Math.min(left, gates[i]!.high - gates[i]!.low));
    mean += times(moved, values[i]!);
    left -= moved;
  }
  return Math.min(Math.max(...values), roundUp(mean, operations(values.length)));
}

/** Largest `pᵢ pⱼ` on the ball, where `low ≤ zᵢ − zⱼ ≤ high`. */
function largestProduct(a: number, b: number, low: number, high: number): number {
  const nearest = low > 0 ? low : high < 0 ? high : 0;
  const even = 1 / (1 + Math.exp(-nearest)) / (1 + Math.exp(nearest));
  return Math.min(a * b, Math.min(1, a + b) ** 2 * even);
}

/**
 * Lipschitz bound of a softmax mixture in a ball around one input, which knows how the gates stand there.
 *
 * @remarks
 * Gates move within intervals on the ball, so an expert with little weight counts little: the first term is the largest mean of the experts' bounds that they allow, the second
 * the smallest of `D_f D_s / 4`, `D_f D_s (1 − p)` with p the least weight of one expert, and `Σ max(pᵢ pⱼ) ‖fᵢ − fⱼ‖ ‖sᵢ − sⱼ‖`. Never above {@link softmaxMixtureBound} with the
 * disagreement of {@link localDisagreement}, and far below it where the router is sure.
 *
 * @param radius - of the ball, in the norm of the scores.
 *
 * @example
 * localSoftmaxMixtureBound({ scores: affineScores({ kernel, input }), outputs, experts }, 0.1).value;
 */
export function localSoftmaxMixtureBound(mixture: MixtureAtInput, radius: number): Bound<'upper'> {
  const caller = 'localSoftmaxMixtureBound';
  expectKnownKeys(caller, mixture, ['scores', 'outputs', 'experts']);
  expectNumber(caller, 'radius', radius, 0);
  const { scores, experts } = mixture;
  const norm = expectExperts(caller, experts, radius);
  expectArgument(caller, 'scores', scores.norm === norm && scores.gateLogits.length === experts.length, `have ${experts.length} entries, in ${norm}`, `${scores.gateLogits.length} in ${scores.norm}`);
  const outputs = readOutputs(caller, mixture.outputs, experts.length);
  const gates = gateIntervals(scores, radius);
  let [weighted, widest, steepest] = [0, 0, 0];
  for (const [i, j] of pairs(experts.length)) {
    const distance = roundUp(apart(outputs[i]!, outputs[j]!, norm) + times(radius, experts[i]!.value + experts[j]!.value), 3);
    const slope = scores.slope(i, j);
    const product = largestProduct(gates[i]!.high, gates[j]!.high, -scores.largestGap(i, j, radius), scores.largestGap(j, i, radius));
    weighted += times(product, times(distance, slope));
    widest = Math.max(widest, distance);
    steepest = Math.max(steepest, slope);
  }
  const least = Math.max(...gates.map(({ low }) => low));
  const router = Math.min(weighted, times(widest, steepest) * Math.min(0.25, 1 - least));
  const value = roundUp(largestMean(gates, experts.map((bound) => bound.value)) + router, operations(experts.length ** 2));
  return { value, status: 'upper', norm, domain: { norm, radius }, method: 'local-softmax-mixture' };
}
