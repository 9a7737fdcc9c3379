// Shapes: B batch, D numbers of one example, M classes.
import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { projectHyperplane } from '../geometry/hyperplane.js';
import type { MinimumNormAttack } from '../minimum-norm/minimum-norm-attack.js';
import { linearModel, predictions, tinyNet } from './models.js';

export interface MinimumNormTraits {
  readonly norm: AttackNorm;
  /** How much farther than the nearest point of a linear model the found one may be, as a share. */
  readonly tolerance: number;
  /** As `tolerance`, for inputs so near to the bounds that these are in the way. */
  readonly boxTolerance: number;
  /** Whether a run is the beginning of every longer one, so that more effort never finds a farther point. */
  readonly prefix: boolean;
  /** Of the linear models; attacks that follow the largest wrong logit may miss the nearest of several classes. */
  readonly classes: 2 | 3;
  /** Whether `eps` only stops the search, so that it leads to the same point as without. @defaultValue true */
  readonly epsStops?: boolean;
  /** Linear models that are tried. @defaultValue 2 */
  readonly models?: number;
  /** Inputs of each. @defaultValue 36 */
  readonly rows?: number;
}

const SIZE = 6;
const CLASSES = 3;
const ROWS = 12;

interface Found {
  readonly adversarial: Float32Array;
  readonly distances: Float32Array;
  readonly success: number[];
}

const row = (values: Float32Array, i: number): Float32Array => values.subarray(i * SIZE, (i + 1) * SIZE);

function run(attack: MinimumNormAttack, model: LogitsFn, inputs: Float32Array, labels: ArrayLike<number>, seed = 1): Found {
  let distances: Float32Array = new Float32Array(0);
  return tidy(() => {
    const x = tensor2d(inputs.slice(), [labels.length, SIZE]);
    const outcome = attack.perturb(model, x, tensor1d(Int32Array.from(labels), 'int32'), { rng: createRng(seed) });
    distances = outcome.distances;
    return { adversarial: outcome.adversarial.dataSync() as Float32Array, success: Array.from(outcome.success.dataSync()), distances };
  });
}

const predicted = (model: LogitsFn, points: Float32Array): number[] => tidy(() => Array.from(predictions(model, tensor2d(points.slice(), [points.length / SIZE, SIZE]))));

/** A value that several tests need, made by the first. */
function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** A random linear model with its weights `[M][D]` and biases. */
function linear(seed: number, classes: number): { model: LogitsFn; weights: Float32Array[]; bias: number[] } {
  const weights = Array.from({ length: classes }, (_, k) => createRng(seed).at(k).normal(SIZE));
  // The classes meet in the middle of the box.
  const bias = weights.map((w) => -0.5 * w.reduce((a, b) => a + b, 0));
  return { model: linearModel(Array.from({ length: SIZE }, (_, d) => weights.map((w) => w[d]!)), bias), weights, bias };
}

/** Distance to the nearest other class of a linear model within [0, 1], in exact arithmetic. */
function exactDistance(norm: AttackNorm, { weights, bias }: { weights: Float32Array[]; bias: number[] }, x: Float32Array, label: number): number {
  const distances = weights.map((other, k) => {
    if (k === label) return Infinity;
    const normal = other.map((value, d) => value - weights[label]![d]!);
    const gap = normal.reduce((total, value, d) => total + value * x[d]!, bias[k]! - bias[label]!);
    const change = projectHyperplane(norm, x, normal, -gap, [0, 1]);
    const reached = normal.reduce((total, value, d) => total + value * change[d]!, gap);
    return reached < -1e-5 ? Infinity : GEOMETRIES[norm].distance(change, new Float32Array(SIZE));
  });
  return Math.min(...distances);
}

/**
 * What every attack for the nearest misclassified point must hold to, beside `describeAttack`.
 *
 * @param make - makes the attack; `effort` is the share of the work that is enough for a linear model: 1/4, 1/2 or 1.
 */
export function describeMinimumNormAttack(name: string, make: (options: { eps?: number; effort: number }) => MinimumNormAttack, { norm, tolerance, boxTolerance, prefix, classes, epsStops = true, models = 2, rows = 36 }: MinimumNormTraits): void {
  const { distance } = GEOMETRIES[norm];
  const net = tinyNet(SIZE, CLASSES, 7);
  const inputs = createRng(3).uniform(ROWS * SIZE);
  const labels = (model: LogitsFn, points: Float32Array = inputs): number[] => predicted(model, points);

  describe(`${name}: minimum norm`, () => {
    it.each([
      ['inside the bounds', 0.4, 0.6, tolerance],
      ['where the bounds are in the way', 0, 1, boxTolerance],
    ] as const)('finds the nearest point of linear models %s', (_, low, high, allowed) => {
      for (let seed = 1; seed <= models; seed++) {
        const lines = linear(seed, classes);
        const points = createRng(seed).stream('x').uniform(rows * SIZE, low, high).map((value) => (high - low < 1 ? value : Math.min(1, Math.max(0, 1.4 * value - 0.2))));
        const truth = labels(lines.model, points);
        const { distances } = run(make({ effort: 1 }), lines.model, points, truth);
        const expected = truth.map((label, i) => exactDistance(norm, lines, row(points, i), label));
        // 1e-6: logits are float32, so a point nearer by rounding may be misclassified.
        expected.forEach((exact, i) => expect(distances[i]! / exact, `seed ${seed}, row ${i}`).toBeWithin(1 - 1e-5 - 1e-6 / exact, 1 + allowed + 1e-6 / exact));
      }
    });

    /** What a quarter of the effort finds, and all inputs being right. */
    const atEase = once(() => {
      const truth = labels(net);
      return { truth, ...run(make({ effort: 1 / 4 }), net, inputs, truth) };
    });

    it('returns misclassified points, at the distances that it reports', () => {
      const { truth, adversarial, success, distances } = atEase();
      expect(success).toEqual(truth.map(() => 1));
      expect(predicted(net, adversarial).every((label, i) => label !== truth[i])).toBe(true);
      expect(adversarial).toBeWithin(0, 1);
      expect(distances).toBeAllClose(truth.map((_, i) => distance(row(adversarial, i), row(inputs, i))));
    });

    it('leaves rows alone that are wrong from the start, and says 0', () => {
      const truth = labels(net).map((label) => (label + 1) % CLASSES);
      const { adversarial, distances } = run(make({ effort: 1 / 4 }), net, inputs, truth);
      expect(adversarial).toEqual(inputs);
      expect(distances).toEqual(new Float32Array(ROWS));
    });

    if (epsStops) {
      it('succeeds within eps exactly where it finds a point so near without it, and returns nothing else', () => {
        const { truth, ...free } = atEase();
        const eps = [...free.distances].toSorted((a, b) => a - b)[ROWS / 2]! * 1.0001;
        const { success, adversarial, distances } = run(make({ effort: 1 / 4, eps }), net, inputs, truth);
        expect(success).toEqual(Array.from(free.distances, (away) => Number(away <= eps)));
        success.forEach((fooled, i) => {
          if (fooled === 1) expect(distances[i]!).toBeWithin(free.distances[i]! * (1 - 1e-6), eps * (1 + 1e-6));
          else {
            expect(row(adversarial, i)).toEqual(row(inputs, i));
            expect(distances[i]).toBe(Infinity);
          }
        });
      });
    }

    it(prefix ? 'never finds a farther point with more effort' : 'finds no farther points with more effort, on the whole', () => {
      const { truth, distances: quarter } = atEase();
      const [half, whole] = [1 / 2, 1].map((effort) => run(make({ effort }), net, inputs, truth).distances) as [Float32Array, Float32Array];
      const mean = (values: Float32Array): number => values.reduce((a, b) => a + b) / ROWS;
      if (prefix) half.forEach((away, i) => expect(away).toBeLessThanOrEqual(quarter[i]!));
      if (prefix) whole.forEach((away, i) => expect(away).toBeLessThanOrEqual(half[i]!));
      expect(mean(whole)).toBeLessThanOrEqual(mean(quarter) * 1.001);
    });
  });
}
