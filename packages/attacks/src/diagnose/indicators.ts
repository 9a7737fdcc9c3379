// Shapes: B examples, D numbers of one example.
import { tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { Finding } from '../evaluate/evaluation.js';
import { GEOMETRIES } from '../geometry/geometry.js';
import { measure } from '../internal/measure.js';
import { exampleRng, rowOf } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import { finding, severityOf } from './doubt.js';
import { type PathPoint, isIncomplete, recordPath } from './path.js';
import { type Subject, problemOf, rowsOf } from './subject.js';

const TRACED = 8; // examples whose path is written down, one at a time
const RANDOM_POINTS = 20;
const UNSTABLE = 0.5;

interface Trace {
  readonly id: number;
  readonly success: boolean;
  readonly path: readonly PathPoint[];
}

/** Attacks some examples one at a time and writes down every pass. */
function trace(subject: Subject): Trace[] {
  const { inputs, labels, ids, shape, size, eps, norm, bounds, steps, attackOf, model, rng, signal } = subject;
  const attack = attackOf({ eps, norm, bounds, steps });
  return ids.slice(0, TRACED).map((id, row) => {
    const clean = rowOf(inputs, row, size);
    const { model: recorded, path } = recordPath(model, labels[row]!, (point) => GEOMETRIES[norm].distance(point, clean) <= eps * (1 + 1e-6) + 1e-7);
    const success = tidy(() => {
      const x = tensor(clean.slice(), [1, ...shape]);
      return attack.perturb(recorded, x, tensor1d([labels[row]!], 'int32'), { rng, exampleIds: [id], ...(signal === undefined ? {} : { signal }) }).success.dataSync()[0];
    });
    return { id, success: success === 1, path };
  });
}

/** What the paths of the attack say: the indicators of Pintor et al. 2022 that need no other attack. */
export function pathIndicators(subject: Subject): { findings: Finding[]; zeroSteps: number | null; zeroCoordinates: number | null } {
  const traces = trace(subject);
  const findings: Finding[] = [];

  const silent = traces.filter(({ success, path }) => !success && path.some(({ adversarial }) => adversarial)).map(({ id }) => id);
  if (silent.length > 0) {
    const message = `The attack passed through adversarial points of ${silent.length} of ${traces.length} examples and returned none.`;
    findings.push(finding('silent-success', severityOf(silent.length, traces.length), message, 'Return the best point of the path instead of the last.', silent));
  }
  const failed = traces.filter(({ success }) => !success);
  const incomplete = failed.filter(({ path }) => isIncomplete(path)).map(({ id }) => id);
  if (incomplete.length > failed.length / 2) {
    const message = `The loss still rose at the end of the attack on ${incomplete.length} of the ${failed.length} examples that it left.`;
    findings.push(finding('not-converged', 'suspect', message, 'Give the attack more steps.', incomplete));
  }
  const shares = traces.flatMap(({ path }) => path.flatMap(({ zeroShare }) => zeroShare ?? []));
  if (shares.length === 0) return { findings, zeroSteps: null, zeroCoordinates: null };
  const zeroSteps = shares.filter((share) => share === 1).length / shares.length;
  if (zeroSteps > 0) {
    const where = traces.filter(({ path }) => path.some(({ zeroShare }) => zeroShare === 1)).map(({ id }) => id);
    const message = `The input gradient is exactly zero in ${(100 * zeroSteps).toFixed(1)} % of the attack's steps.`;
    findings.push(finding('zero-gradient', zeroSteps > 0.01 ? 'invalid' : 'suspect', message, 'The attack stands still there: relax hard gates or quantisation in the backward pass, or add attacks without gradients.', where));
  }
  return { findings, zeroSteps, zeroCoordinates: shares.reduce((a, b) => a + b, 0) / shares.length };
}

/** Whether random points close by change the margin as much as an attack should have to: unstable predictions of Pintor et al. 2022. */
export function lossStability(subject: Subject): { findings: Finding[]; lossChange: number } {
  const { inputs, size, bounds, eps, norm } = subject;
  const problem = problemOf(subject);
  const rows = rowsOf(subject);
  const clean = measure(problem, cwRow, inputs, rows, false).loss;
  const points = inputs.slice();
  let total = 0;
  for (let draw = 0; draw < RANDOM_POINTS; draw++) {
    for (const row of rows) {
      const rng = exampleRng(problem, row, draw);
      GEOMETRIES[norm].randomStart(rowOf(inputs, row, size), { eps: eps / 2, bounds }, 'uniform', rng, rowOf(points, row, size));
    }
    measure(problem, cwRow, points, rows, false).loss.forEach((loss, row) => (total += Math.abs(loss - clean[row]!) / (Math.abs(clean[row]!) || 1)));
  }
  const lossChange = Math.min(1, total / (RANDOM_POINTS * rows.length));
  if (lossChange <= UNSTABLE) return { findings: [], lossChange };
  const message = `Random points within half the radius change the margin by ${(100 * lossChange).toFixed(0)} % of it on average.`;
  return { findings: [finding('unstable-loss', 'suspect', message, 'Steps along one gradient lead nowhere on such a loss: average gradients over random points around each step.')], lossChange };
}
