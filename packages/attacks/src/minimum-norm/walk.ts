import { throwIfAborted } from '@moe/core';
import { compactRows } from '../internal/compact.js';
import { measure } from '../internal/measure.js';
import { type Problem, rowOf } from '../internal/problem.js';
import type { RowLoss } from '../losses/row-loss.js';
import type { Nearest } from './nearest.js';

/** What was seen at a row's point, and where the row is to go from there. */
export interface Visit {
  readonly row: number;
  readonly step: number;
  /** Where the row is; the walk goes on where this is moved to. */
  readonly point: Float32Array;
  readonly clean: Float32Array;
  readonly loss: number;
  readonly wrong: boolean;
  /** Direction of the input gradient; the gradient itself for the margin. */
  readonly gradient: Float32Array;
}

/** Walks all open rows from their clean inputs, one forward and one backward pass a step, and notes every misclassified point, the last one too. */
export function walk(problem: Problem, nearest: Nearest, rowLoss: RowLoss, steps: number, move: (visit: Visit) => void): void {
  const { inputs, rows, size, caller, context } = problem;
  const points = inputs.slice();
  let batch = compactRows(Array.from({ length: rows }, (_, row) => row), nearest.open);
  for (let step = 0; step <= steps && batch.length > 0; step++) {
    throwIfAborted(caller, context.signal);
    const { loss, wrong, gradient } = measure(problem, rowLoss, points, batch, step < steps);
    let [total, count] = [0, 0];
    batch.forEach((row, i) => {
      if (!nearest.open(row)) return;
      total += loss[i]!;
      count++;
      const point = rowOf(points, row, size);
      if (wrong[i] === 1) nearest.meet(row, point);
      if (gradient !== undefined && nearest.open(row)) {
        move({ row, step, point, clean: rowOf(inputs, row, size), loss: loss[i]!, wrong: wrong[i] === 1, gradient: rowOf(gradient, i, size) });
      }
    });
    context.onStep?.({ step, steps: steps + 1, meanLoss: count === 0 ? 0 : total / count });
    batch = compactRows(batch, nearest.open);
  }
}
