import { cwRow } from '../losses/cw-loss.js';
import { measure } from './measure.js';
import type { BestPoints, Problem } from './problem.js';

/** The same points with their margins as losses: one scale for attacks whose own losses have no common one. */
export function marginOfBest(problem: Problem, best: BestPoints): BestPoints {
  const rows = Array.from({ length: problem.rows }, (_, row) => row);
  const { loss, wrong } = measure(problem, cwRow, best.points, rows, false);
  return { points: best.points, loss, wrong };
}
