// Shapes: B batch, D numbers of one example.
import { throwIfAborted } from '@moe/core';
import type { Ball } from '../geometry/ball.js';
import { ascendSparsely, freeSlopes, projectL1, randomStartL1 } from '../geometry/l1.js';
import type { RowLoss } from '../losses/row-loss.js';
import type { AscentRun } from './auto-ascent.js';
import { keepBest } from './best.js';
import { compactRows } from './compact.js';
import { measure } from './measure.js';
import { rowsOf } from './per-example.js';
import { type BestPoints, type Problem, exampleRng, rowOf } from './problem.js';
import { type SparseControl, createSparseControl } from './sparse-control.js';

/** A part of a run in a ball of its own, so many times as large. */
interface Stage {
  readonly times: number;
  readonly steps: number;
}

/** Croce & Hein 2021, Sec. 3.4: 30 % of the steps in three times the radius, 30 % in twice the radius, the rest in the ball itself. */
function stagesOf({ steps, multiEps }: AscentRun): Stage[] {
  const early = Math.min(Math.ceil(0.3 * steps), Math.floor((steps - 1) / 2));
  if (!multiEps || early === 0) return [{ times: 1, steps }];
  return [{ times: 3, steps: early }, { times: 2, steps: early }, { times: 1, steps: steps - 2 * early }];
}

/** AutoPGD for L1: steps along few coordinates, as many as the best point suggests; see Croce & Hein 2021, Algorithm 1. */
export function ascendInL1(problem: Problem, options: AscentRun, rowLoss: RowLoss, best: BestPoints, standing: readonly number[], restart: number): void {
  const { inputs, size, context, caller } = problem;
  const { variant, bounds } = options;
  const radii = rowsOf(problem, 'eps', options.eps);
  const original = variant === 'autoattack';
  const done = Uint8Array.from(best.wrong); // rows that were fooled before this run
  const points = inputs.slice();
  const stages = stagesOf(options);
  const passes = stages.reduce((total, { steps }) => total + steps + 1, 0);
  let pass = restart * passes;

  for (const row of standing) randomStartL1(rowOf(inputs, row, size), { eps: stages[0]!.times * radii[row]!, bounds }, 'boundary', exampleRng(problem, row, restart), rowOf(points, row, size));
  for (const { times, steps } of stages) {
    const last = times === 1;
    const ballOf = (row: number): Ball => ({ eps: times * radii[row]!, bounds });
    // The released code stops no row inside a run and returns the last misclassified point.
    const active = (row: number): boolean => (original || !last ? done[row] === 0 : best.wrong[row] === 0);
    const runBest = { points: points.slice(), gradients: new Float32Array(inputs.length), loss: new Float64Array(best.loss.length).fill(-Infinity) };
    const gradient = new Float32Array(size);
    const controls = new Map<number, SparseControl>();
    for (const row of standing) {
      const [point, clean] = [rowOf(points, row, size), rowOf(inputs, row, size)];
      projectL1(point, clean, ballOf(row), point);
      controls.set(row, createSparseControl({ variant, eps: ballOf(row).eps, steps, size, ...(stages.length > 1 && { changed: changedIn(point, clean) }) }));
    }
    let batch = compactRows(standing, active);
    for (let t = 0; t <= steps && batch.length > 0; t++, pass++) {
      throwIfAborted(caller, context.signal);
      const measured = measure(problem, rowLoss, points, batch, t < steps);
      const meanLoss = last ? keepBest(problem, best, points, batch, measured, original ? 'latest' : 'misclassify', done) : mean(measured.loss);
      context.onStep?.({ step: pass, steps: options.restarts * passes, meanLoss });
      batch.forEach((row, i) => {
        if (!active(row)) return;
        const [point, clean, top] = [rowOf(points, row, size), rowOf(inputs, row, size), rowOf(runBest.points, row, size)];
        const loss = measured.loss[i]!;
        if (measured.gradient !== undefined) gradient.set(rowOf(measured.gradient, i, size));
        if (loss > runBest.loss[row]!) {
          runBest.loss[row] = loss;
          top.set(point);
          rowOf(runBest.gradients, row, size).set(gradient);
        }
        if (t === steps) return;
        const control = controls.get(row)!;
        if (control.observe(t, () => changedIn(top, clean)) === 'restart-from-best') {
          point.set(top);
          gradient.set(rowOf(runBest.gradients, row, size));
        }
        // The released code spends part of its steps on coordinates that cannot move.
        ascendSparsely(point, original ? gradient : freeSlopes(point, gradient, bounds), control.count(), control.stepSize(), point);
        projectL1(point, clean, ballOf(row), point);
      });
      batch = compactRows(batch, active);
    }
    points.set(runBest.points);
  }
}

const mean = (values: Float64Array): number => values.reduce((total, value) => total + value, 0) / values.length;

/** How many coordinates differ. */
function changedIn(point: Float32Array, clean: Float32Array): number {
  let count = 0;
  for (let i = 0; i < point.length; i++) if (point[i] !== clean[i]) count++;
  return count;
}
