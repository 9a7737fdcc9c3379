// Shapes: S samples, D numbers of one example, F features.
import { type Tensor, type Tensor2D, add, matMul, reshape, sub, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, type Rng, ShapeError } from '@moe/core';
import type { Subject } from '../diagnose/subject.js';
import { GEOMETRIES } from '../geometry/geometry.js';
import { rowOf } from '../internal/problem.js';

/** Maps inputs `[B, …]` to features `[B, …]`; differentiable. */
export type FeaturesFn = (inputs: Tensor) => Tensor;

/** How many planted points an attack found. */
export interface SelfTest {
  /** Examples in whose ball a point could be planted. */
  readonly examples: number;
  /** Share of them where the attack found an adversarial point; null if there is none. */
  readonly passRate: number | null;
  /** Share of them where as many random points as were drawn for planting found one: what the attack must clearly exceed. */
  readonly randomPassRate: number | null;
  /** Ids of the examples where it found none. */
  readonly missed: readonly number[];
}

/** Examples, and the ball around each. */
export type SelfTestSubject = Pick<Subject, 'inputs' | 'ids' | 'shape' | 'size' | 'bounds' | 'eps' | 'norm' | 'rng' | 'signal'>;

/** See {@link attackSelfTest}. */
export function selfTest(subject: SelfTestSubject, attack: Attack, features: FeaturesFn, examples: number, samples: number): SelfTest {
  const { inputs, ids, shape, size, rng, signal } = subject;
  const missed: number[] = [];
  let [planted, passedAtRandom] = [0, 0];
  ids.slice(0, examples).forEach((id, row) => {
    const clean = rowOf(inputs, row, size);
    const readOut = plant(subject, features, clean, samples, rng.stream('self-test').at(id));
    if (readOut === undefined) return;
    planted++;
    const found = tidy(() => {
      const x = tensor(clean.slice(), [1, ...shape]);
      const context = { rng, exampleIds: [id], ...(signal === undefined ? {} : { signal }) };
      const { adversarial } = attack.perturb(readOut, x, tensor1d([0], 'int32'), context);
      const random = tensor(draw(subject, clean, samples, rng.stream('self-test/random').at(id)), [samples, ...shape]);
      return [adversarial, random].map((points) => isFooled(readOut(points)));
    });
    if (!found[0]) missed.push(id);
    if (found[1]) passedAtRandom++;
  });
  const share = (count: number): number | null => (planted === 0 ? null : count / planted);
  return { examples: planted, passRate: share(planted - missed.length), randomPassRate: share(passedAtRandom), missed };
}

/** Points on the surface of the ball, row-major `[S,D]`. */
function draw({ size, bounds, eps, norm }: SelfTestSubject, clean: Float32Array, samples: number, rng: Rng): Float32Array {
  const points = new Float32Array(samples * size);
  for (let s = 0; s < samples; s++) GEOMETRIES[norm].randomStart(clean, { eps, bounds }, 'boundary', rng.at(s), rowOf(points, s, size));
  return points;
}

/** Whether the second logit of any row is the larger one. */
const isFooled = (logits: Tensor2D): boolean => {
  const values = logits.dataSync();
  return values.some((value, i) => i % 2 === 1 && value > values[i - 1]!);
};

/**
 * A classifier of two classes on top of features, right on the clean example and wrong on exactly one of the drawn points of its ball.
 *
 * @returns undefined if the features of no point differ enough.
 */
function plant(subject: SelfTestSubject, features: FeaturesFn, clean: Float32Array, samples: number, rng: Rng): LogitsFn | undefined {
  const { shape } = subject;
  const flat = (x: Tensor): Tensor2D => {
    const found = features(x);
    const [rows = 0] = found.shape;
    if (rows !== x.shape[0]) throw new ShapeError(`attackSelfTest: features must have shape [B,…] with B = ${x.shape[0]}, got [${found.shape.join(',')}].`);
    return reshape(found, [rows, found.size / rows]);
  };
  const read = (points: Float32Array, rows: number): Float32Array => {
    const values = tidy(() => flat(tensor(points.slice(), [rows, ...shape])));
    try {
      return values.dataSync().slice() as Float32Array;
    } finally {
      values.dispose();
    }
  };
  const origin = read(clean, 1);
  const drawn = read(draw(subject, clean, samples, rng), samples);
  const count = origin.length;
  const direction = origin.map((value, i) => drawn[i]! - value); // towards the first drawn point
  const heights = Array.from({ length: samples }, (_, s) => direction.reduce((total, value, i) => total + value * (drawn[s * count + i]! - origin[i]!), 0));
  const [highest = 0, second = 0] = [...heights].sort((a, b) => b - a);
  // Half-way between the planted point and the next best one, or the clean example.
  const threshold = (highest + Math.max(second, 0)) / 2;
  if (!(threshold > 0) || !(highest > threshold)) return undefined;
  const weights = direction.map((value) => value / threshold);
  return (x) =>
    tidy(() => {
      const height = matMul(sub(flat(x), tensor2d(origin, [1, count])) as Tensor2D, tensor2d(weights, [count, 1]));
      return add(matMul(height, tensor2d([[-0.5, 0.5]])), tensor1d([0.5, -0.5])) as Tensor2D;
    });
}
