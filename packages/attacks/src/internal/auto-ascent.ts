// Shapes: B batch, D numbers of one example.
import { type Bounds, throwIfAborted } from '@moe/core';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import type { RowLoss } from '../losses/row-loss.js';
import { createBest, keepBest } from './best.js';
import { compactRows } from './compact.js';
import { ascendInL1 } from './l1-ascent.js';
import { measure } from './measure.js';
import { type AttackLoss, type Target, objectiveOf } from './objective.js';
import { type PerExample, ballsOf } from './per-example.js';
import { type BestPoints, type Problem, exampleRng, rowOf } from './problem.js';
import { type ApgdVariant, type StepControl, checkpoints, createStepControl } from './step-control.js';

const MOMENTUM = 0.75; // alpha, Croce & Hein 2020, Sec. 3.1

/** What one run needs to know; `restarts` is the number of runs in all. */
export interface AscentRun {
  readonly eps: PerExample;
  readonly bounds: Bounds;
  readonly norm: AttackNorm;
  readonly steps: number;
  readonly restarts: number;
  readonly variant: ApgdVariant;
  /** L1 alone: first in balls of three and two times the radius. */
  readonly multiEps: boolean;
}

export interface AutoAscentOptions extends AscentRun {
  readonly loss: AttackLoss;
  readonly target: Target;
}

/** AutoPGD: projected gradient ascent with momentum and a step size of its own for each row. */
export function autoAscend(asked: Problem, options: AutoAscentOptions): BestPoints {
  const { problem, rowLoss } = objectiveOf(asked, options.loss, options.target);
  const { inputs, rows } = problem;
  const best = createBest(problem);
  let standing: readonly number[] = Array.from({ length: rows }, (_, row) => row);
  keepBest(problem, best, inputs, standing, measure(problem, rowLoss, inputs, standing, false), 'misclassify');
  for (let restart = 0; restart < options.restarts; restart++) {
    standing = compactRows(standing, (row) => best.wrong[row] === 0);
    if (standing.length === 0) break;
    ascendBy(options.norm)(problem, options, rowLoss, best, standing, restart);
  }
  return best;
}

/** One restart over the rows that still stand. */
type Ascend = (problem: Problem, options: AscentRun, rowLoss: RowLoss, best: BestPoints, standing: readonly number[], restart: number) => void;

/** How AutoPGD climbs in a norm. */
export const ascendBy = (norm: AttackNorm): Ascend => (norm === 'L1' ? ascendInL1 : ascendWithMomentum);

/** For L-inf and L2; eq. numbers of Croce & Hein 2020, Algorithm 1. */
function ascendWithMomentum(problem: Problem, options: AscentRun, rowLoss: RowLoss, best: BestPoints, standing: readonly number[], restart: number): void {
  const { inputs, size, context } = problem;
  const { norm, steps, variant } = options;
  const balls = ballsOf(problem, options.eps, options.bounds);
  const { project, randomStart, ascend } = GEOMETRIES[norm];
  const original = variant === 'autoattack';
  const done = Uint8Array.from(best.wrong); // rows that were fooled before this run
  // The released code stops no row inside a run and returns the last misclassified point.
  const active = (row: number): boolean => (original ? done[row] === 0 : best.wrong[row] === 0);

  const points = inputs.slice();
  const before = inputs.slice();
  const runBest = { points: inputs.slice(), gradients: new Float32Array(inputs.length), loss: new Float64Array(best.loss.length) };
  const gradients = new Float32Array(inputs.length);
  const controls = new Map<number, StepControl>();
  const trial = new Float32Array(size);
  const marks = checkpoints(variant, steps);
  for (const row of standing) {
    const point = rowOf(points, row, size);
    randomStart(rowOf(inputs, row, size), balls[row]!, 'boundary', exampleRng(problem, row, restart), point);
    rowOf(before, row, size).set(point);
  }

  let batch = standing;
  for (let t = 0; t <= steps && batch.length > 0; t++) {
    throwIfAborted(problem.caller, context.signal);
    const measured = measure(problem, rowLoss, points, batch, t < steps);
    const meanLoss = keepBest(problem, best, points, batch, measured, original ? 'latest' : 'misclassify', done);
    context.onStep?.({ step: restart * (steps + 1) + t, steps: options.restarts * (steps + 1), meanLoss });
    if (t === steps) break;
    batch.forEach((row, i) => {
      if (!active(row)) return;
      const [point, old, gradient] = [points, before, gradients].map((values) => rowOf(values, row, size)) as [Float32Array, Float32Array, Float32Array];
      const loss = measured.loss[i]!;
      gradient.set(rowOf(measured.gradient!, i, size));
      const control = controls.get(row) ?? createStepControl(variant, marks, 2 * balls[row]!.eps, loss);
      if (t === 0 || loss > runBest.loss[row]!) {
        runBest.loss[row] = loss;
        rowOf(runBest.points, row, size).set(point);
        rowOf(runBest.gradients, row, size).set(gradient);
      }
      controls.set(row, control);
      if (t > 0 && control.observe(loss) === 'restart-from-best') {
        point.set(rowOf(runBest.points, row, size));
        gradient.set(rowOf(runBest.gradients, row, size));
        // The released code keeps as momentum the way from the point before to the best one.
        if (!original) old.set(point);
      }
      const [centre, ball] = [rowOf(inputs, row, size), balls[row]!];
      ascend(point, gradient, control.stepSize(), trial, options.bounds);
      project(trial, centre, ball, trial);
      const a = t === 0 ? 1 : MOMENTUM;
      for (let k = 0; k < size; k++) {
        const here = point[k]!;
        trial[k] = here + a * (trial[k]! - here) + (1 - a) * (here - old[k]!);
        old[k] = here;
      }
      project(trial, centre, ball, point);
    });
    batch = compactRows(batch, active);
  }
}
