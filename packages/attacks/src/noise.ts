import { expectInteger, expectKnownKeys, expectOneOf, throwIfAborted } from '@moe/core';
import { type QueryAttack, type Search, queryAttack } from './black-box/query-attack.js';
import { GEOMETRIES } from './geometry/geometry.js';
import { createBest, keepBest } from './internal/best.js';
import { type StepAttackOptions, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { type PerExample, ballsOf, derive, expectPerExample, rowsOf } from './internal/per-example.js';
import { type Task, exampleRng, pickRows, rowOf } from './internal/problem.js';
import { type Start, startPoint } from './internal/start.js';

export interface NoiseOptions extends Omit<StepAttackOptions, 'loss' | 'target' | 'compile'> {
  /** Anywhere in the ball, on its surface, normal, or of one size and random sign at every coordinate. @defaultValue 'uniform' */
  readonly kind?: Exclude<Start, 'none'>;
  /** Radius of the ball that is drawn from, standard deviation of `'normal'` noise, size of `'sign'` noise. @defaultValue eps; eps / 2 for `'normal'` */
  readonly size?: PerExample;
  /** Draws for each example, of which the worst counts. @defaultValue 10 */
  readonly queries?: number;
}

/**
 * Random noise in the ball: the floor that every attack must beat.
 *
 * @remarks
 * Keeps the first draw that is misclassified, else the one of highest margin `max_{j≠y} z_j - z_y`, and the clean input where that is higher. Noise is projected into ball and bounds. In L2,
 * `'boundary'` is Gaussian noise of length eps. A model that noise fools as often as gradients hides them.
 *
 * @returns A frozen attack; its `options` hold every default.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 *
 * @example
 * const floor = noise({ eps: 8 / 255, queries: 100 });
 */
export function noise(options: NoiseOptions): QueryAttack<Required<NoiseOptions>> {
  expectKnownKeys('noise', options, ['eps', 'norm', 'bounds', 'label', 'kind', 'size', 'queries']);
  const { eps, norm = 'Linf', bounds = [0, 1], label = '', kind = 'uniform', queries = 10 } = options;
  expectSharedOptions('noise', { eps, norm, loss: 'ce', bounds, label }, undefined);
  expectOneOf('noise', 'kind', kind, ['uniform', 'boundary', 'normal', 'sign']);
  const { size = kind === 'normal' ? derive(eps, 0.5, (radius, share) => radius * share) : eps } = options;
  expectPerExample('noise', 'size', size, 0);
  expectInteger('noise', 'queries', queries, 1);
  const filled = freeze({ eps, norm, bounds, label, kind, size, queries });
  return queryAttack(nameOf('noise', label), filled, 'score', (task) => search(task, filled));
}

function* search(task: Task, { eps, norm, bounds, kind, size: noiseSize, queries }: Required<NoiseOptions>): Search {
  const { inputs, rows, size, context, caller } = task;
  const [balls, sizes] = [ballsOf(task, eps, bounds), rowsOf(task, 'size', noiseSize)];
  const best = createBest(task);
  let batch = Array.from({ length: rows }, (_, row) => row);
  keepBest(task, best, inputs, batch, yield { points: inputs.slice(), rows: batch }, 'misclassify');
  const points = inputs.slice();
  for (let query = 0; query < queries; query++) {
    throwIfAborted(caller, context.signal);
    batch = batch.filter((row) => best.wrong[row] === 0);
    if (batch.length === 0) break;
    for (const row of batch) startPoint(GEOMETRIES[norm], kind, sizes[row]!, rowOf(inputs, row, size), balls[row]!, exampleRng(task, row, query), rowOf(points, row, size));
    const meanLoss = keepBest(task, best, points, batch, yield { points: pickRows(points, batch, size), rows: batch }, 'misclassify');
    context.onStep?.({ step: query, steps: queries, meanLoss });
  }
  return best;
}
