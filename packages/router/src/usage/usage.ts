// Shapes: T tokens, E experts, M classes. Everything here is on the host.
import { expectArgument, expectInteger } from '@moe/core';

// Mean combine weight from which the predecessor of Robust Experts counts an expert as alive.
const LIVING_IMPORTANCE = 0.01;

/** How evenly a router uses its experts. */
export interface ExpertUsage {
  /** Share of all (row, chosen expert) pairs, `[E]`; sums to 1. */
  readonly share: Float64Array;
  /** Mean combine weight, `[E]`. */
  readonly importance: Float64Array;
  /** Entropy of `share` in nats: ln E when even, 0 when one expert takes all. */
  readonly entropy: number;
  /** Population standard deviation of `importance` over its mean. */
  readonly coefficientOfVariation: number;
  /** Number of experts whose importance is above 0.01. */
  readonly livingExperts: number;
}

function expectWeights(caller: string, combineWeights: ArrayLike<number>, numExperts: number): number {
  expectInteger(caller, 'numExperts', numExperts, 1);
  const rows = combineWeights.length / numExperts;
  expectArgument(caller, 'combineWeights', Number.isInteger(rows) && rows >= 1, `have rows of ${numExperts} entries, at least one`, `${combineWeights.length} entries`);
  return rows;
}

/**
 * Statistics of how a router used its experts, over any number of batches.
 *
 * @param combineWeights - `[T,E]` row-major, as `plan.combineWeights.dataSync()` gives them, batches one after the other.
 * @param numExperts     - E.
 * @throws {@link ArgumentError} if there is no row, or half a one.
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023} for importance and living experts.
 *
 * @example
 * expertUsage([1, 0, 1, 0, 0, 1], 2).share; // [2/3, 1/3]
 */
export function expertUsage(combineWeights: ArrayLike<number>, numExperts: number): ExpertUsage {
  const rows = expectWeights('expertUsage', combineWeights, numExperts);
  const share = new Float64Array(numExperts);
  const importance = new Float64Array(numExperts);
  let pairs = 0;
  for (let i = 0; i < combineWeights.length; i++) {
    const weight = combineWeights[i]!;
    importance[i % numExperts]! += weight / rows;
    if (weight === 0) continue;
    share[i % numExperts]!++;
    pairs++;
  }
  for (let expert = 0; expert < numExperts; expert++) share[expert]! /= Math.max(pairs, 1);
  const mean = importance.reduce((total, value) => total + value, 0) / numExperts;
  const variance = importance.reduce((total, value) => total + (value - mean) ** 2, 0) / numExperts;
  return {
    share,
    importance,
    entropy: share.reduce((total, p) => (p > 0 ? total - p * Math.log(p) : total), 0),
    coefficientOfVariation: mean > 0 ? Math.sqrt(variance) / mean : 0,
    livingExperts: importance.filter((value) => value > LIVING_IMPORTANCE).length,
  };
}

/**
 * Mean combine weight of each expert for the rows of each class.
 *
 * @param combineWeights - `[T,E]` row-major; see {@link expertUsage}.
 * @param labels         - class of each row, `[T]`.
 * @param sizes          - E and M.
 * @returns `[M,E]` row-major; the row of a class without examples is zero.
 * @throws {@link ArgumentError} if lengths disagree, or a label is no class.
 *
 * @example
 * classByExpert([1, 0, 0, 1], [2, 2], { numExperts: 2, numClasses: 3 }); // [0, 0, 0, 0, .5, .5]
 */
export function classByExpert(
  combineWeights: ArrayLike<number>,
  labels: ArrayLike<number>,
  { numExperts, numClasses }: { readonly numExperts: number; readonly numClasses: number },
): Float64Array {
  const rows = expectWeights('classByExpert', combineWeights, numExperts);
  expectInteger('classByExpert', 'numClasses', numClasses, 1);
  expectArgument('classByExpert', 'labels', labels.length === rows, `have one entry per row, ${rows}`, labels.length);
  const matrix = new Float64Array(numClasses * numExperts);
  const examples = new Float64Array(numClasses);
  for (let row = 0; row < rows; row++) {
    const label = labels[row]!;
    expectInteger('classByExpert', `labels[${row}]`, label, 0, numClasses - 1);
    examples[label]!++;
    for (let expert = 0; expert < numExperts; expert++) matrix[label * numExperts + expert]! += combineWeights[row * numExperts + expert]!;
  }
  return matrix.map((total, i) => total / Math.max(examples[Math.floor(i / numExperts)]!, 1));
}
