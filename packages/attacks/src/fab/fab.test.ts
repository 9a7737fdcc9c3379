import { type Tensor, type Tensor2D, add, matMul, mul, reshape, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { apgd } from '../apgd.js';
import { type AttackNorm, GEOMETRIES } from '../geometry/geometry.js';
import { projectHyperplane } from '../geometry/hyperplane.js';
import { describeMinimumNormAttack } from '../testing/describe-minimum-norm-attack.js';
import { linearModel } from '../testing/models.js';
import { fab } from './fab.js';
import { fabTargeted } from './fab-targeted.js';

const context = { rng: createRng(1) };
const NORMS = ['Linf', 'L2', 'L1'] satisfies AttackNorm[];

/** z1 - z0 = w·x + b with b such that it is -0.3 at x = 0.5, far from every bound. */
const WEIGHTS = [3, 1, -2];
const model = linearModel(WEIGHTS.map((w) => [-w / 2, w / 2]), [0.65, -0.65]);
const CENTRE = new Float32Array(3).fill(0.5);

describe.each(NORMS)('fabTargeted in %s on a linear model', (norm) => {
  const least = 0.3 / { Linf: 6, L2: Math.sqrt(14), L1: 3 }[norm];

  /** Distances, in the least one, of the points that were judged, by forward passes alone. */
  const judged = (eps: number): { distances: number[]; success: number; passes: number } => {
    const distances: number[] = [];
    const watching: LogitsFn = (x) => {
      distances.push(GEOMETRIES[norm].distance(x.dataSync() as Float32Array, CENTRE) / least);
      return model(x);
    };
    const success = tidy(() => fabTargeted({ eps, norm, steps: 6 }).perturb(watching, tensor2d([[...CENTRE]]), tensor1d([0], 'int32'), context).success.dataSync()[0]!);
    return { distances: distances.slice(1).filter((_, i) => i % 2 === 1), success, passes: distances.length };
  };

  it('takes the golden steps', () => {
    expect(judged(1.0001 * least).distances.slice(0, 6)).toBeAllClose([1.05, 1.00521327, 1.008701484, 1.00843905, 1.008458847, 1.008457354], { rtol: 2e-6, atol: 0 });
  });

  it('finds at the edge of the ball what its steps overshoot, and nothing before the boundary', () => {
    expect(judged(1.0001 * least)).toMatchObject({ success: 1, passes: 1 + 6 * 2 + 1 + 1 });
    expect(judged(0.9999 * least).success).toBe(0);
  });

  it('stops at the first point within the ball', () => {
    expect(judged(1.04 * least)).toMatchObject({ success: 1, passes: 1 + 2 * 2 + 1 });
  });
});

describe.each([
  ...NORMS.map((norm) => ['fabTargeted', norm, (eps: number) => fabTargeted({ eps, norm })] as const),
  ['apgd', 'Linf', (eps: number) => apgd({ eps })] as const,
])('%s in %s', (_, norm, make) => {
  it('decides a linear model exactly where bounds stop the straight way', () => {
    for (let seed = 0; seed < 4; seed++) {
      const rng = createRng(seed).stream('box');
      const [w, x] = [Array.from(rng.at(0).uniform(12, -1, 1)), rng.at(1).uniform(12).map((value) => Math.round(4 * value) / 4)];
      const gap = 0.6 * w.reduce((total, value, i) => total + Math.max(value * (1 - x[i]!), -value * x[i]!), 0);
      const change = projectHyperplane(norm, x, Float32Array.from(w), gap, [0, 1]);
      const least = GEOMETRIES[norm].distance(change, new Float32Array(12));
      // Some coordinate has reached its bound.
      expect(Array.from(change).some((d, i) => d !== 0 && (x[i]! + d < 1e-6 || x[i]! + d > 1 - 1e-6))).toBe(true);
      const linear = linearModel(w.map((value) => [0, value]), [gap + w.reduce((total, value, i) => total + value * x[i]!, 0), 0]);
      const verdict = (eps: number): number => tidy(() => make(eps).perturb(linear, tensor2d(x, [1, 12]), tensor1d([0], 'int32'), context).success.dataSync()[0]!);
      expect([verdict(least * 0.999), verdict(least * 1.001)]).toEqual([0, 1]);
    }
  });
});

describe.each(NORMS)('fab in %s', (norm) => {
  it('makes for the nearest of several boundaries, and decides a linear model of four classes exactly', () => {
    const rng = createRng(5);
    for (let trial = 0; trial < 5; trial++) {
      const weights = Array.from({ length: 4 }, (_, j) => Array.from(rng.at(trial, j).uniform(4, -1, 1)));
      const logits = weights.map((w) => w.reduce((total, value) => total + value / 2, 0));
      const y = logits.indexOf(Math.max(...logits));
      const dual = (w: number[]): number => ({ Linf: w.reduce((a, b) => a + Math.abs(b), 0), L2: Math.hypot(...w), L1: Math.max(...w.map(Math.abs)) })[norm];
      // Logits as near as a tenth apart, so that no bound is met.
      const bias = logits.map((value, j) => (j === y ? -value : -value - 0.05 * (j + 1)));
      const least = Math.min(...weights.map((w, j) => (j === y ? Infinity : (0.05 * (j + 1)) / dual(w.map((value, i) => value - weights[y]![i]!)))));
      const columns = Array.from({ length: 4 }, (_, i) => weights.map((w) => w[i]!));
      const verdict = (eps: number): number =>
        tidy(() => fab({ eps, norm, steps: 20 }).perturb(linearModel(columns, bias), tensor2d([[0.5, 0.5, 0.5, 0.5]]), tensor1d([y], 'int32'), context).success.dataSync()[0]!);
      expect([verdict(least * 0.9999), verdict(least * 1.0001)]).toEqual([0, 1]);
    }
  });
});

describe('fab', () => {
  it('costs a forward and a backward pass for every wrong class and step, and a forward pass', () => {
    let passes = 0;
    const flat: LogitsFn = (x: Tensor) => (passes++, add(mul(matMul(reshape(x, [1, 3]) as Tensor2D, tensor2d([[1, 2, 1], [0, 1, 1], [1, 0, 2]])), 1e-6), [1, 0, -1]) as Tensor2D);
    tidy(() => void fab({ eps: 0.01, steps: 4, restarts: 2 }).perturb(flat, tensor2d([[0.5, 0.5, 0.5]]), tensor1d([0], 'int32'), context));
    expect(passes).toBe(1 + 2 * 4 * (2 + 1) + 1);
  });

  it('refuses targets, which fabTargeted takes', () => {
    expect(() => fab({ eps: 1, targets: 3 } as never)).toThrow(/unknown option 'targets'/);
  });
});

for (const norm of NORMS) {
  // Of 108 rows the untargeted form leaves a few 0.2 to 7 % beyond the nearest point, whatever its steps, where bounds are in the way; none of these 36.
  const traits = { norm, tolerance: 2e-4, boxTolerance: 2e-3, prefix: false, classes: 3, models: 3, rows: 12 } as const;
  describeMinimumNormAttack(`fab ${norm}`, ({ eps, effort }) => fab({ ...(eps !== undefined && { eps }), norm, steps: 20 * effort }), traits);
  describeMinimumNormAttack(`fabTargeted ${norm}`, ({ eps, effort }) => fabTargeted({ ...(eps !== undefined && { eps }), norm, steps: 20 * effort }), traits);
}
