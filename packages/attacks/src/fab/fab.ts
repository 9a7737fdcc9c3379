// Shapes: B batch, D numbers of one example.
import { expectInteger } from '@moe/core';
import { GEOMETRIES } from '../geometry/geometry.js';
import { compactRows } from '../internal/compact.js';
import { compiledPasses } from '../internal/compiled-passes.js';
import { freeze, nameOf } from '../internal/options.js';
import { rowsOf } from '../internal/per-example.js';
import { type Problem, exampleRng, rowOf } from '../internal/problem.js';
import { gradientSearch } from '../minimum-norm/gradient-search.js';
import type { MinimumNormAttack } from '../minimum-norm/minimum-norm-attack.js';
import type { Nearest } from '../minimum-norm/nearest.js';
import { approach, wayOf } from './approach.js';
import { type FabSharedOptions, type RecordedFab, fabOptions } from './options.js';

export interface FabOptions extends FabSharedOptions {
  /** Independent runs; the first starts at the input, later ones halfway to `eps`, or to the nearest point found, and attack only what still stands. @defaultValue 1 */
  readonly restarts?: number;
}

/**
 * Fast adaptive boundary attack: looks for the nearest input that is misclassified, by projecting on linearised decision boundaries.
 *
 * @remarks
 * Each step moves towards the hyperplane where some class ties with the true one, of all classes the one that looks nearest, biased towards the clean input (at most 0.1), with overshoot
 * 1.05; from a misclassified point it steps back by a tenth of the way. Not led by a loss, so it finds what attacks with vanishing gradients of the loss miss. A step costs a forward and a
 * backward pass for every wrong class, and a forward pass.
 *
 * With `eps` a row stops as soon as a misclassified point lies within it; at last two points on the edge of the ball are tried: on the way to the nearest one found, and furthest beyond the
 * boundary linearised there. Without, every row takes all steps, and at last the way to the nearest point found is halved, in eleven forward passes as a rule. The reported loss is the margin
 * at the returned input; where nothing was found (within `eps`), that is the clean input.
 *
 * Differs from AutoAttack: exact projections onto hyperplane and bounds, early stop, the last tries, points tested before they are left too; in L1, sparse random starts.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1907.02044 | Croce & Hein 2020}
 *
 * @example
 * const attack = fab({ eps: 0.5, norm: 'L2', restarts: 5 });
 * const { distances } = fab({ norm: 'L2' }).perturb(model, inputs, labels, { rng: createRng(1) });
 */
export function fab(options: FabOptions = {}): MinimumNormAttack<RecordedFab<FabOptions>> {
  const shared = fabOptions('fab', options, ['restarts']);
  const { restarts = 1 } = options;
  expectInteger('fab', 'restarts', restarts, 1);
  const filled = freeze({ ...shared, restarts });
  const name = nameOf('fab', filled.label);
  return gradientSearch(
    name,
    filled,
    (problem, nearest, clean) => {
      const { rows, labels } = problem;
      let standing: readonly number[] = Array.from({ length: rows }, (_, row) => row);
      const others = clean.logits.length / rows - 1;
      const aims = Array.from({ length: others }, (_, rank) => labels.map((label) => (rank < label ? rank : rank + 1)));
      for (let run = 0; run < restarts; run++) {
        standing = compactRows(standing, nearest.open);
        if (standing.length === 0) break;
        approach(problem, { ...filled, aims, points: startsOf(problem, filled, nearest, standing, run), standing, nearest, run, runs: restarts });
      }
      return wayOf(problem, filled, nearest);
    },
    compiledPasses(name, 'targeted-cw', options.compile),
  );
}

/** The clean inputs in the first run; in later ones random points halfway to the edge of the ball, to the nearest point found, or of a ball that holds every input. */
function startsOf(problem: Problem, { norm, eps, bounds }: RecordedFab<FabOptions>, nearest: Nearest, standing: readonly number[], run: number): Float32Array {
  const { inputs, size } = problem;
  const points = inputs.slice();
  if (run === 0) return points;
  const radii = eps === undefined ? nearest.distances : rowsOf(problem, 'eps', eps);
  const widest = (bounds[1] - bounds[0]) * size ** { Linf: 0, L2: 0.5, L1: 1 }[norm];
  for (const row of standing) {
    GEOMETRIES[norm].randomStart(rowOf(inputs, row, size), { eps: Math.min(radii[row]!, widest) / 2, bounds }, 'boundary', exampleRng(problem, row, run), rowOf(points, row, size));
  }
  return points;
}
