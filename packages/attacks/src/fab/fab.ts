// Shapes: B batch, D numbers of one example.
import { type Attack, expectInteger, expectKnownKeys } from '@moe/core';
import { GEOMETRIES } from '../geometry/geometry.js';
import { createBest, keepBest } from '../internal/best.js';
import { compactRows } from '../internal/compact.js';
import { marginOfBest } from '../internal/margin-of-best.js';
import { measure } from '../internal/measure.js';
import { compiledPasses } from '../internal/compiled-passes.js';
import { type GradientAttackOptions, type Recorded, expectSharedOptions, freeze, nameOf } from '../internal/options.js';
import { type BestPoints, type Problem, createProblem, exampleRng, rowOf, toPerturbation } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { approach } from './approach.js';

export interface FabOptions extends Omit<GradientAttackOptions, 'loss'> {
  /** Steps of one restart. @defaultValue 100 */
  readonly steps?: number;
  /** Independent runs; the first starts at the input, later ones on the surface of the ball of half the radius and attack only what still stands. @defaultValue 1 */
  readonly restarts?: number;
}

/**
 * Fast adaptive boundary attack: looks for the nearest input that is misclassified, by projecting on linearised decision boundaries.
 *
 * @remarks
 * Each step moves towards the hyperplane where some class ties with the true one, of all classes the one that looks nearest, biased towards the clean input (at most 0.1), with overshoot
 * 1.05; from a misclassified point it steps back by a tenth of the way. Not led by a loss, so it finds what attacks with vanishing gradients of the loss miss. A row stops as soon as a
 * misclassified point lies within `eps`; at last two points on the edge of the ball are tried: on the way to the nearest one found, and furthest beyond the boundary linearised there. A step costs a forward and a backward pass for every wrong class,
 * and a forward pass. The reported loss is the margin at the returned input; where nothing within `eps` was found, that is the clean input.
 *
 * Differs from AutoAttack: exact projections onto hyperplane and bounds, early stop, the last tries (the paper halves the way instead), points tested before they are left too; in L1, sparse
 * random starts.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1907.02044 | Croce & Hein 2020}
 *
 * @example
 * const attack = fab({ eps: 0.5, norm: 'L2', restarts: 5 });
 */
export function fab(options: FabOptions): Attack<Recorded<FabOptions>> {
  expectKnownKeys('fab', options, ['eps', 'norm', 'bounds', 'label', 'compile', 'steps', 'restarts']);
  const { eps, norm = 'Linf', bounds = [0, 1], label = '', compile, steps = 100, restarts = 1 } = options;
  expectSharedOptions('fab', { eps, norm, loss: 'ce', bounds, label }, compile);
  expectInteger('fab', 'steps', steps, 1);
  expectInteger('fab', 'restarts', restarts, 1);
  const filled = freeze({ eps, norm, bounds, label, steps, restarts });
  const name = nameOf('fab', label);
  const passesOf = compiledPasses(name, 'targeted-cw', compile);
  return Object.freeze<Attack<Recorded<FabOptions>>>({
    name,
    options: filled,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const problem = createProblem(name, model, inputs, labels, context, filled.bounds, passesOf);
      return toPerturbation(problem, marginOfBest(problem, search(problem, filled)));
    },
  });
}

function search(problem: Problem, options: Recorded<FabOptions>): BestPoints {
  const { rows, inputs, labels } = problem;
  const best = createBest(problem);
  let standing: readonly number[] = Array.from({ length: rows }, (_, row) => row);
  const clean = measure(problem, cwRow, inputs, standing, false);
  keepBest(problem, best, inputs, standing, clean, 'misclassify');
  const others = clean.logits.length / rows - 1;
  const aims = Array.from({ length: others }, (_, rank) => labels.map((label) => (rank < label ? rank : rank + 1)));
  for (let run = 0; run < options.restarts; run++) {
    standing = compactRows(standing, (row) => best.wrong[row] === 0);
    if (standing.length === 0) break;
    approach(problem, { ...options, aims, points: startsOf(problem, options, standing, run), standing, best, run, runs: options.restarts });
  }
  return best;
}

/** The clean inputs in the first run, random points halfway to the edge of the ball in later ones. */
function startsOf(problem: Problem, { norm, eps, bounds }: Recorded<FabOptions>, standing: readonly number[], run: number): Float32Array {
  const { inputs, size } = problem;
  const points = inputs.slice();
  if (run === 0) return points;
  for (const row of standing) GEOMETRIES[norm].randomStart(rowOf(inputs, row, size), { eps: eps / 2, bounds }, 'boundary', exampleRng(problem, row, run), rowOf(points, row, size));
  return points;
}
