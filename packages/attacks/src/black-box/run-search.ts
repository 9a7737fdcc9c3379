import { paddedSize } from '../internal/compact.js';
import { type Judgement, measurePoints } from '../internal/measure.js';
import type { Problem } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import type { Query, Search } from './query-attack.js';

/** Runs a search on a model of this process; returns what it returns. */
export function runSearch<Result>(problem: Problem, search: Search<Result>): Result {
  let most = 0;
  let turn = search.next();
  while (!turn.done) {
    most = Math.max(most, turn.value.rows.length);
    turn = search.next(ask(problem, turn.value, most));
  }
  return turn.value;
}

/** Fills a query up to a known batch size of at most `most` with repetitions, since some engines compile anew for each size. */
function ask(problem: Problem, { points, rows }: Query, most: number): Judgement {
  const size = Math.min(paddedSize(rows.length), most);
  if (size === rows.length) return measurePoints(problem, cwRow, points, rows, false);
  const padded = new Float32Array(size * problem.size);
  padded.set(points);
  for (let i = rows.length; i < size; i++) padded.set(points.subarray(0, problem.size), i * problem.size);
  return measurePoints(problem, cwRow, padded, [...rows, ...new Array<number>(size - rows.length).fill(rows[0]!)], false);
}

/** The same search, counting the points of each row into `asked`. */
export function* countQueries<Result>(asked: Int32Array, search: Search<Result>): Search<Result> {
  let turn = search.next();
  while (!turn.done) {
    for (const row of turn.value.rows) asked[row]!++;
    turn = search.next(yield turn.value);
  }
  return turn.value;
}
