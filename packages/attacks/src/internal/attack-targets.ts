// Shapes: B batch.
import type { Perturbation } from '@moe/core';
import { cwRow } from '../losses/cw-loss.js';
import { createBest, keepBest } from './best.js';
import { compactRows } from './compact.js';
import { marginOfBest } from './margin-of-best.js';
import { measure } from './measure.js';
import { type BestPoints, type Problem, toPerturbation } from './problem.js';
import { rankTargets } from './rank-targets.js';

/** One run towards a class for each row. */
export interface TargetedRun {
  readonly problem: Problem;
  /** Class aimed at, `[B]`. */
  readonly aims: Int32Array;
  /** Rows that still stand, filled up to a known batch size. */
  readonly standing: readonly number[];
  /** What the run improves. */
  readonly best: BestPoints;
  /** Number of this run, and of all. */
  readonly run: number;
  readonly runs: number;
}

/**
 * Lets an attack run towards the most likely wrong classes, one after the other, each on what still stands.
 *
 * @remarks
 * Classes are ranked by the logits of the clean input, once. The loss of the result is the margin, since losses of different targets have no common scale.
 *
 * @param targets - how many classes; all others where there are fewer.
 */
export function attackTargets(problem: Problem, targets: number, attack: (run: TargetedRun) => void): Perturbation {
  const best = createBest(problem);
  let standing: readonly number[] = Array.from({ length: problem.rows }, (_, row) => row);
  const clean = measure(problem, cwRow, problem.inputs, standing, false);
  keepBest(problem, best, problem.inputs, standing, clean, 'misclassify');
  const ranked = rankTargets(clean.logits, problem.labels, targets);
  for (const [run, aims] of ranked.entries()) {
    standing = compactRows(standing, (row) => best.wrong[row] === 0);
    if (standing.length === 0) break;
    attack({ problem: { ...problem, aims }, aims, standing, best, run, runs: ranked.length });
  }
  return toPerturbation(problem, marginOfBest(problem, best));
}
