// Shapes: H W pixels, C channels, D = H·W·C numbers of one example.
import { type Rng, expectArgument, expectInteger, expectKnownKeys, expectNumber, throwIfAborted } from '@moe/core';
import { type QueryAttack, type Search, queryAttack } from './black-box/query-attack.js';
import { createBest, keepBest } from './internal/best.js';
import { compiledPasses } from './internal/compiled-passes.js';
import { createForecast } from './internal/forecast.js';
import { imageOf } from './internal/image.js';
import { type GradientAttackOptions, type Recorded, expectSharedOptions, freeze, nameOf } from './internal/options.js';
import { rowsOf } from './internal/per-example.js';
import { type Task, exampleRng, pickRows, rowOf } from './internal/problem.js';
import { dipoleMoves } from './internal/square-dipoles.js';
import { stripeMoves } from './internal/square-linf.js';

export interface SquareOptions extends Omit<GradientAttackOptions, 'loss'> {
  /** Queries of one restart, the start included. @defaultValue 5000 */
  readonly queries?: number;
  /** Share of the pixels in the first squares, in (0, 1]. @defaultValue 0.8 */
  readonly firstShare?: number;
  /** Independent runs; later ones attack only what still stands. @defaultValue 1 */
  readonly restarts?: number;
  /**
   * Gives an example up, in a run, as soon as its margin would not reach zero by the last query even if it rose, with each doubling of the queries, six times as much as with the last one.
   * Decides after 10, 20, 40 and 80 % of the queries. @defaultValue false
   */
  readonly giveUp?: boolean;
}

// Queries, of ten thousand, from which the share of pixels is halved once more.
const HALVED_AT = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/** Share of the pixels that a square has at a query; the schedule is stretched over all queries. */
export function shareAt(query: number, queries: number, first: number): number {
  const at = Math.floor((query * 10_000) / queries);
  return first / 2 ** HALVED_AT.filter((threshold) => at > threshold).length;
}

/**
 * Square Attack: random search without gradients, by squares of one sign at random places.
 *
 * @remarks
 * Keeps a candidate if the margin `max_{j≠y} z_j - z_y` rises. Squares shrink on the released schedule, stretched over all queries. Needs only logits, so masked
 * gradients do not stop it.
 *
 * Differs from AutoAttack: every example has squares, places and signs of its own, so its result does not depend on the batch; squares reach the last row and column; images need not
 * be square; a candidate that changes nothing is drawn again.
 *
 * @returns A frozen attack; its `options` hold every default. Inputs `[B,H,W,C]`, or `[B,D]` as images of one row.
 * @throws {@link ArgumentError} if an option is unknown or out of range.
 * @see {@link https://arxiv.org/abs/1912.00049 | Andriushchenko et al. 2020}
 *
 * @example
 * const attack = square({ eps: 8 / 255, queries: 1000 });
 */
export function square(options: SquareOptions): QueryAttack<Recorded<SquareOptions>> {
  expectKnownKeys('square', options, ['eps', 'norm', 'bounds', 'label', 'compile', 'queries', 'firstShare', 'restarts', 'giveUp']);
  const { eps, norm = 'Linf', bounds = [0, 1], label = '', compile, queries = 5000, firstShare = 0.8, restarts = 1, giveUp = false } = options;
  expectSharedOptions('square', { eps, norm, loss: 'ce', bounds, label }, compile);
  expectInteger('square', 'queries', queries, 1);
  expectNumber('square', 'firstShare', firstShare, Number.MIN_VALUE, 1);
  expectInteger('square', 'restarts', restarts, 1);
  expectArgument('square', 'giveUp', typeof giveUp === 'boolean', 'be true or false', giveUp);
  const filled = freeze({ eps, norm, bounds, label, queries, firstShare, restarts, giveUp });
  const name = nameOf('square', label);
  return queryAttack(name, filled, 'score', (task) => search(task, filled), compiledPasses(name, 'cw', compile));
}

function* search(task: Task, options: Recorded<SquareOptions>): Search {
  const { inputs, rows, size, context, caller } = task;
  const { norm, bounds, queries, firstShare, restarts, giveUp } = options;
  const image = imageOf(task);
  const { start, propose } = norm === 'Linf' ? stripeMoves(bounds, image) : dipoleMoves(norm, bounds, image);
  const radii = rowsOf(task, 'eps', options.eps);
  const best = createBest(task);
  const all = Array.from({ length: rows }, (_, row) => row);
  keepBest(task, best, inputs, all, yield { points: inputs.slice(), rows: all }, 'misclassify');
  const active = (row: number): boolean => best.wrong[row] === 0;

  for (let restart = 0; restart < restarts; restart++) {
    const current = createBest(task);
    const forecast = createForecast(queries, rows);
    const candidates = inputs.slice();
    const streams = new Map<number, Rng>();
    const streamOf = (row: number): Rng => {
      const rng = streams.get(row) ?? exampleRng(task, row, restart);
      streams.set(row, rng);
      return rng;
    };
    let batch = all.filter(active);
    for (let query = 0; query < queries && batch.length > 0; query++) {
      throwIfAborted(caller, context.signal);
      const share = shareAt(query, queries, firstShare);
      for (const row of batch) {
        const [clean, candidate] = [rowOf(inputs, row, size), rowOf(candidates, row, size)];
        if (query === 0) start(clean, radii[row]!, streamOf(row), candidate);
        else propose(clean, radii[row]!, rowOf(current.points, row, size), share, streamOf(row).at(query), candidate);
      }
      const judged = yield { points: pickRows(candidates, batch, size), rows: batch };
      const meanLoss = keepBest(task, current, candidates, batch, judged, 'misclassify', best.wrong);
      keepBest(task, best, candidates, batch, judged, 'misclassify');
      context.onStep?.({ step: restart * queries + query, steps: restarts * queries, meanLoss });
      batch = batch.filter(active);
      if (giveUp && forecast.isDue(query + 1)) batch = batch.filter((row) => !forecast.hopeless(row, current.loss[row]!));
    }
  }
  return best;
}
