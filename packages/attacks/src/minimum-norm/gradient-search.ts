import { createProblem, toPerturbation, type Problem } from '../internal/problem.js';
import type { PassesOf } from '../internal/compiled-passes.js';
import { marginOfBest } from '../internal/margin-of-best.js';
import { type Measurement, measure } from '../internal/measure.js';
import { cwRow } from '../losses/cw-loss.js';
import { type MinimumNormAttack, type MinimumNormOptions, type RecordedMinimumNorm, distancesOf } from './minimum-norm-attack.js';
import { type Way, refine } from './boundary.js';
import { type Nearest, createNearest } from './nearest.js';

/**
 * Makes a frozen attack that looks for near misclassified points with gradients: one forward pass over the clean inputs, the search, the way to the boundary, one forward pass over what is
 * returned.
 *
 * @param search   - notes what it finds in `nearest`; returns the ways that lead there, if they are to be halved.
 * @param passesOf - compiled passes over models. @defaultValue passes run as they are
 */
export function gradientSearch<Options extends RecordedMinimumNorm<MinimumNormOptions>>(
  name: string,
  options: Options,
  search: (problem: Problem, nearest: Nearest, clean: Measurement) => Way | undefined,
  passesOf?: PassesOf,
): MinimumNormAttack<Options> {
  const { norm, bounds, eps } = options;
  return Object.freeze<MinimumNormAttack<Options>>({
    name,
    options,
    access: 'gradient',
    perturb: (model, inputs, labels, context) => {
      const problem = createProblem(name, model, inputs, labels, context, bounds, passesOf);
      const all = Array.from({ length: problem.rows }, (_, row) => row);
      const clean = measure(problem, cwRow, problem.inputs, all, false);
      const nearest = createNearest(problem, norm, clean.wrong, eps);
      const way = search(problem, nearest, clean);
      if (way !== undefined) refine(problem, way, nearest);
      const best = marginOfBest(problem, { points: nearest.result(), loss: clean.loss, wrong: clean.wrong });
      return { ...toPerturbation(problem, best), distances: distancesOf(problem, norm, best) };
    },
  });
}
