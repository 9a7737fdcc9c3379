// Shapes: T rows, E columns. Everything here is on the host.
import { expectArgument, expectInteger, expectNumber } from '@moe/core';

/**
 * Entropic transport plan between rows of mass 1 and columns of mass T/E: Sinkhorn's iterations on the logarithms, in float64.
 *
 * @remarks
 * `P = diag(u) exp(z/ε) diag(v)`, columns and rows scaled in turn, rows last: rows sum to 1, columns to T/E in the limit.
 *
 * @param scores     - z, `[T,E]` row-major.
 * @param numColumns - E.
 * @param options    - `iterations` ≥ 1 and `eps` > 0. @defaultValue `iterations = 20`, `eps = 1`
 * @returns P, `[T,E]` row-major.
 * @throws {@link ArgumentError} if an argument is out of range.
 * @see {@link https://arxiv.org/abs/1306.0895 | Cuturi 2013}
 */
export function sinkhornPlan(scores: ArrayLike<number>, numColumns: number, { iterations = 20, eps = 1 }: { readonly iterations?: number; readonly eps?: number } = {}): Float64Array {
  const numRows = scores.length / numColumns;
  expectArgument('sinkhornPlan', 'scores', Number.isInteger(numRows) && numRows >= 1, `have rows of ${numColumns} entries, at least one`, scores.length);
  expectInteger('sinkhornPlan', 'iterations', iterations, 1);
  expectNumber('sinkhornPlan', 'eps', eps, Number.MIN_VALUE);
  const plan = Float64Array.from(scores, (score) => score / eps);
  const scale = (starts: number, step: number, lines: number, count: number, mass: number): void => {
    for (let line = 0; line < lines; line++) {
      const at = line * starts;
      let top = -Infinity;
      for (let i = 0; i < count; i++) top = Math.max(top, plan[at + i * step]!);
      let total = 0;
      for (let i = 0; i < count; i++) total += Math.exp(plan[at + i * step]! - top);
      const shift = Math.log(mass) - top - Math.log(total);
      for (let i = 0; i < count; i++) plan[at + i * step]! += shift;
    }
  };
  for (let i = 0; i < iterations; i++) {
    scale(1, numColumns, numColumns, numRows, numRows / numColumns);
    scale(numColumns, 1, numRows, numColumns, 1);
  }
  return plan.map(Math.exp);
}
