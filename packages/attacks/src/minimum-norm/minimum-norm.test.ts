import { type LogitsFn, createRng } from '@moe/core';
import { tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { linearModel } from '../testing/models.js';
import { carliniWagner } from './carlini-wagner.js';
import { ddn } from './ddn.js';
import { deepFool } from './deep-fool.js';
import { fmn } from './fmn.js';
import type { MinimumNormAttack } from './minimum-norm-attack.js';

/** Attacks one example of class 0; also gives the points that the model was asked about. */
function attackOne(attack: MinimumNormAttack, model: LogitsFn, x: number[]): { visited: number[][]; adversarial: number[]; distance: number } {
  const visited: number[][] = [];
  const watched: LogitsFn = (points) => (visited.push(Array.from(points.dataSync().subarray(0, x.length))), model(points));
  let distance = Number.NaN;
  const adversarial = tidy(() => {
    const outcome = attack.perturb(watched, tensor2d([x]), tensor1d([0], 'int32'), { rng: createRng(1) });
    distance = outcome.distances[0]!;
    return Array.from(outcome.adversarial.dataSync());
  });
  return { visited, adversarial, distance };
}

// Class 1 leads by 2x - 1: the boundary lies at 0.5.
const step = linearModel([[-1, 1]], [0.5, -0.5]);

describe('deepFool', () => {
  // The golden changes of projectHyperplane: class 1 leads by <(3, 1, -2), x> - b.
  it.each([
    ['Linf', 2, 1 / 6],
    ['Linf', 3.4, 0.4],
    ['L2', 2, 1 / Math.sqrt(14)],
    ['L2', 3.4, Math.hypot(0.5, 0.18, 0.36)],
  ] as const)('%s: reaches <w, x> = %f at the golden distance, in one step where no bound is in the way', (norm, b, expected) => {
    const model = linearModel([[0, 3], [0, 1], [0, -2]], [0, -b]);
    const { distance } = attackOne(deepFool({ norm, steps: b === 2 ? 1 : 50 }), model, [0.5, 0.5, 0.5]);
    expect(distance).toBeWithin(expected * (1 - 1e-6), expected * (1 + 1e-3));
  });

  it('takes the class that the bounds let it reach over a nearer one that they do not', () => {
    // Class 1 leads by x - 1.2, out of reach from 0.9 though only 0.3 away; class 2 leads by y - 0.9.
    const model = linearModel([[0, 1, 0], [0, 0, 1]], [0, -1.2, -0.9]);
    expect(attackOne(deepFool({ norm: 'L2' }), model, [0.9, 0.5]).distance).toBeAllClose(0.4, { rtol: 1e-3 });
  });
});

describe('fmn', () => {
  it('goes beyond the linearised boundary by the first share, then shrinks its radius', () => {
    // Lead -0.6 and slope 2 at 0.2: the boundary is 0.3 away; 5 % beyond that is 0.515. The share falls to (0.05 + 0.001) / 2 after half of the steps.
    const { visited } = attackOne(fmn({ norm: 'Linf', steps: 2 }), step, [0.2]);
    expect(visited[2]).toBeAllClose([0.515]);
    expect(visited[3]).toBeAllClose([0.2 + 0.315 * (1 - 0.0255)]);
  });
});

describe('fmn in L0', () => {
  it('changes one coordinate more, or as many as its share, and one less from a misclassified point', () => {
    // Class 1 leads by the sum of all coordinates minus 1.5: two must change.
    const sum = linearModel([[0, 1], [0, 1], [0, 1], [0, 1]], [0, -1.5]);
    const x = [0, 0.25, 0, 0.125];
    const { visited, distance } = attackOne(fmn({ norm: 'L0', steps: 4 }), sum, x);
    // Steps of 0.5 and then 0.43 a coordinate: 0.5 + 0.375 does not suffice, 0.93 + 0.43 + 0.375 does; then one coordinate, cut to 1, does not.
    expect(visited.slice(2, 6).map((point) => point.filter((value, i) => value !== x[i]).length)).toEqual([1, 2, 1, 2]);
    expect(distance).toBe(2);
  });

  it('finds as few coordinates as a linear model needs', () => {
    const rng = createRng(3);
    for (let trial = 0; trial < 5; trial++) {
      const [w, x] = [Array.from(rng.normal(12)), Array.from(rng.uniform(12))];
      const lead = w.reduce((total, weight, k) => total + weight * x[k]!, 0);
      // What each coordinate can do within the bounds; class 1 is behind by what the largest two and a half of them make up for.
      const gains = w.map((weight, k) => Math.max(weight * (1 - x[k]!), -weight * x[k]!)).toSorted((a, b) => b - a);
      const behind = gains[0]! + gains[1]! + gains[2]! / 2;
      expect(attackOne(fmn({ norm: 'L0' }), linearModel(w.map((weight) => [0, weight]), [0, -lead - behind]), x).distance).toBe(3);
    }
  });
});

describe('ddn', () => {
  it('grows and shrinks its radius by a twentieth', () => {
    // From 0.2 with a first radius of 0.4: 0.42 is misclassified, 0.399 too, and so on down to the boundary at 0.3; only then it grows.
    const { visited } = attackOne(ddn({ steps: 9, firstRadius: 0.4 }), step, [0.2]);
    const radii = visited.slice(2, 11).map(([x = 0]) => x - 0.2);
    const expected = [0.42];
    for (let i = 1; i < 9; i++) expected.push(expected[i - 1]! * (expected[i - 1]! > 0.3 ? 0.95 : 1.05));
    expect(radii).toBeAllClose(expected, { atol: 1e-6 });
  });
});

describe('carliniWagner', () => {
  it('multiplies the weight by ten until it suffices, then halves between', () => {
    // One variable: a step of Adam moves by the learning rate towards or away from the boundary, so the weight 1e-3 keeps it, and 1e3 carries it over.
    const counted = (firstWeight: number, searches: number): number => attackOne(carliniWagner({ steps: 60, learningRate: 0.1, firstWeight, searches }), step, [0.2]).distance;
    expect(counted(1e-3, 1)).toBe(Infinity);
    expect(counted(1e-3, 6)).toBeWithin(0.3, 0.3 * 1.001);
  });

  it('moves inputs that lie on the bounds', () => {
    expect(attackOne(carliniWagner({ steps: 400, learningRate: 0.1, firstWeight: 1 }), step, [0]).distance).toBeWithin(0.5, 0.5 * 1.001);
  });
});

describe('cost', () => {
  it.each([
    ['fmn', fmn({ steps: 20 }), 20],
    ['ddn', ddn({ steps: 20 }), 20],
    ['carliniWagner', carliniWagner({ steps: 20, searches: 1, firstWeight: 100, learningRate: 0.1 }), 19],
  ])('of %s is one forward pass a step, and those before and after it', (_, attack, steps) => {
    // The clean pass, the pass over the last point, eleven halvings at most but few, the pass over the result.
    expect(attackOne(attack, step, [0.2]).visited.length).toBeWithin(steps + 3, steps + 3 + 16);
  });
});

describe('options', () => {
  it('leave no trace of an eps that was not given, and refuse wrong ones', () => {
    expect(Object.keys(fmn().options)).not.toContain('eps');
    expect(() => fmn({ eps: Infinity })).toThrow('fmn: eps must be finite, got Infinity. Leave it out to look for the nearest point, however far.');
    expect(() => ddn({ radiusChange: 2 })).toThrow(/radiusChange must be a finite number in \[0, 1\]/);
    expect(() => deepFool({ targets: 0 })).toThrow(/targets must be an integer ≥ 1/);
    expect(() => carliniWagner({ searches: 0.5 })).toThrow(/searches must be an integer/);
  });
});
