// Shapes: T rows, E columns. Everything here is on the host.
import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';

export interface SparsePlanOptions {
  /** Entries of a column that are not 0, at most. */
  readonly perColumn: number;
  /** Weight of the squared entries, γ > 0; small γ comes near an assignment. @defaultValue 1 */
  readonly gamma?: number;
  /** Steps of the dual ascent. @defaultValue 20 */
  readonly iterations?: number;
  /** Its step size. @defaultValue 0.01 */
  readonly stepSize?: number;
}

/** A transport plan and how far it is from what was asked of its rows. */
export interface SparseTransport {
  /** `[T,E]` row-major, at most `perColumn` entries of a column above 0; columns sum to T/E. */
  readonly plan: Float64Array;
  /** Largest difference of a row sum from 1. */
  readonly marginalError: number;
}

// Adam, with its usual constants.
const [FIRST, SECOND, TINY] = [0.9, 0.999, 1e-8];

/**
 * Transport plan between rows of mass 1 and columns of mass T/E, of which a column uses few rows.
 *
 * @remarks
 * `max Σ P_te z_te - γ/2 ‖P‖²` over plans with at most k entries in a column, by its semi-dual: column e is `b Π((α + z_e)/(γ b))`, b = T/E, Π the projection of the k largest entries
 * onto the simplex; α is raised by Adam along `1 - row sums`. Columns are exact at every step, rows in the limit: `marginalError` says how near.
 *
 * @param scores     - z, `[T,E]` row-major.
 * @param numColumns - E.
 * @throws {@link ArgumentError} if an argument is out of range.
 * @see {@link https://arxiv.org/abs/2209.15466 | Liu et al. 2023}, Sec. 4.
 */
export function sparsePlan(scores: ArrayLike<number>, numColumns: number, options: SparsePlanOptions): SparseTransport {
  expectKnownKeys('sparsePlan', options, ['perColumn', 'gamma', 'iterations', 'stepSize']);
  const { perColumn, gamma = 1, iterations = 20, stepSize = 0.01 } = options;
  const numRows = scores.length / numColumns;
  expectArgument('sparsePlan', 'scores', Number.isInteger(numRows) && numRows >= 1, `have rows of ${numColumns} entries, at least one`, scores.length);
  expectInteger('sparsePlan', 'perColumn', perColumn, 1);
  expectInteger('sparsePlan', 'iterations', iterations, 1);
  expectNumber('sparsePlan', 'gamma', gamma, Number.MIN_VALUE);
  expectNumber('sparsePlan', 'stepSize', stepSize, Number.MIN_VALUE);
  const mass = numRows / numColumns;
  const dual = new Float64Array(numRows);
  const [first, second] = [new Float64Array(numRows), new Float64Array(numRows)];
  const plan = new Float64Array(scores.length);
  const rowSums = new Float64Array(numRows);

  const fill = (): void => {
    rowSums.fill(0);
    for (let column = 0; column < numColumns; column++) {
      const values = Float64Array.from(dual, (price, row) => (price + scores[row * numColumns + column]!) / (gamma * mass));
      projectLargest(values, perColumn).forEach((share, row) => {
        plan[row * numColumns + column] = mass * share;
        rowSums[row]! += mass * share;
      });
    }
  };
  fill();
  for (let step = 1; step <= iterations; step++) {
    for (let row = 0; row < numRows; row++) {
      const slope = 1 - rowSums[row]!;
      first[row] = FIRST * first[row]! + (1 - FIRST) * slope;
      second[row] = SECOND * second[row]! + (1 - SECOND) * slope * slope;
      dual[row]! += (stepSize * (first[row]! / (1 - FIRST ** step))) / (Math.sqrt(second[row]! / (1 - SECOND ** step)) + TINY);
    }
    fill();
  }
  return { plan, marginalError: rowSums.reduce((most, sum) => Math.max(most, Math.abs(sum - 1)), 0) };
}

/** The k largest entries projected onto the simplex, the others 0; ties to the earlier entry. */
export function projectLargest(values: Float64Array, k: number): Float64Array {
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b).slice(0, k);
  let [total, threshold] = [0, 0];
  order.forEach((index, i) => {
    total += values[index]!;
    const candidate = (total - 1) / (i + 1);
    if (values[index]! > candidate) threshold = candidate;
  });
  const result = new Float64Array(values.length);
  for (const index of order) result[index] = Math.max(values[index]! - threshold, 0);
  return result;
}
