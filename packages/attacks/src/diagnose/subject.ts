// Shapes: B examples, D numbers of one example.
import { type Tensor, type Tensor1D, dispose, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { Attack, Bounds, LogitsFn, Rng } from '@moe/core';
import type { AttackNorm } from '../geometry/geometry.js';
import { measure } from '../internal/measure.js';
import { type Problem, createProblem } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';

/** Makes the attack under test for a radius and a number of steps. */
export type AttackMaker = (options: { readonly eps: number; readonly norm: AttackNorm; readonly bounds: Bounds; readonly steps: number }) => Attack;

/** Examples that the model gets right, on the host, and how they are to be attacked. */
export interface Subject {
  readonly model: LogitsFn;
  /** Row-major `[B,D]`. */
  readonly inputs: Float32Array;
  readonly labels: Int32Array;
  readonly ids: readonly number[];
  /** Shape of one example. */
  readonly shape: readonly number[];
  readonly size: number;
  readonly bounds: Bounds;
  readonly eps: number;
  readonly norm: AttackNorm;
  readonly steps: number;
  readonly attackOf: AttackMaker;
  readonly rng: Rng;
  readonly signal: AbortSignal | undefined;
}

export interface Outcome {
  /** Whether the model is wrong on each returned point, by a pass of its own. */
  readonly fooled: readonly boolean[];
  /** Row-major `[B,D]`. */
  readonly points: Float32Array;
}

/** The examples as a problem of the attacks' own machinery. */
export function problemOf({ model, inputs, labels, ids, shape, bounds, rng }: Subject): Problem {
  const [x, y] = [tensor(inputs.slice(), [ids.length, ...shape]), tensor1d(labels.slice(), 'int32')];
  try {
    return { ...createProblem('diagnose', model, x, y, { rng, exampleIds: ids }, bounds), inputs, labels };
  } finally {
    dispose([x, y]);
  }
}

export const rowsOf = ({ ids }: Subject): number[] => ids.map((_, row) => row);

/** Whether the model is wrong on each of some points `[B,D]`. */
export function judge(subject: Subject, points: Float32Array): boolean[] {
  const { wrong } = measure(problemOf(subject), cwRow, points, rowsOf(subject), false);
  return Array.from(wrong, (value) => value === 1);
}

/** Attacks all examples, on the model itself or on another, and judges the points by the model itself. */
export function runAttack(subject: Subject, attack: Attack, attacked: LogitsFn = subject.model): Outcome {
  const { inputs, labels, ids, shape, rng, signal } = subject;
  let points: Float32Array = new Float32Array(0);
  tidy(() => {
    const x: Tensor = tensor(inputs.slice(), [ids.length, ...shape]);
    const y: Tensor1D = tensor1d(labels.slice(), 'int32');
    const { adversarial } = attack.perturb(attacked, x, y, { rng, exampleIds: ids, ...(signal === undefined ? {} : { signal }) });
    points = adversarial.dataSync().slice() as Float32Array;
  });
  return { fooled: judge(subject, points), points };
}
