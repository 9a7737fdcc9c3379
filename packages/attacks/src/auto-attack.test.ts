import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor2D, add, cast, dispose, floor, matMul, mul, reshape, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { autoAttack, autoAttackParts } from './auto-attack.js';
import { fabTargeted } from './fab/fab-targeted.js';
import { fgsm } from './fgsm.js';
import { GEOMETRIES } from './geometry/geometry.js';
import { projectHyperplane } from './geometry/hyperplane.js';
import { dipole } from './internal/square-dipoles.js';
import { rankTargets } from './internal/rank-targets.js';
import { targetedDlrLoss } from './losses/targeted-loss.js';
import { sequence } from './combinators/sequence.js';
import { shareAt, square } from './square.js';
import { linearModel, predictions, tinyNet } from './testing/models.js';

const context = (seed = 1) => ({ rng: createRng(seed) });

describe('targetedDlrLoss', () => {
  it('has the golden values', () => {
    tidy(() => {
      const logits = tensor2d([[3, 1, 0.5, -1], [3, 1, 0.5, -1]]);
      expect(targetedDlrLoss(logits, tensor1d([0, 0], 'int32'), tensor1d([2, 1], 'int32'))).toBeAllClose([-0.769230769, -0.615384615], { atol: 1e-6 });
    });
  });

  it('is the gap for fewer than four classes', () => {
    tidy(() => {
      expect(targetedDlrLoss(tensor2d([[3, 1, 0.5]]), tensor1d([0], 'int32'), tensor1d([2], 'int32'))).toBeAllClose([-2.5]);
    });
  });
});

describe('projectHyperplane', () => {
  const [x, w] = [Float32Array.of(0.5, 0.5, 0.5), Float32Array.of(3, 1, -2)];
  it.each([
    ['Linf', 2, [1 / 6, 1 / 6, -1 / 6]],
    ['Linf', 3.4, [0.4, 0.4, -0.4]],
    ['Linf', 4.5, [0.5, 0.5, -0.5]],
    ['L2', 2, [3 / 14, 1 / 14, -1 / 7]],
    ['L2', 3.4, [0.5, 0.18, -0.36]],
    ['L2', 4.5, [0.5, 0.5, -0.5]],
    ['L1', 2, [1 / 3, 0, 0]],
    ['L1', 3.4, [0.5, 0, -0.45]],
    ['L1', 4.5, [0.5, 0.5, -0.5]],
  ] as const)('%s to <w, v> = %f is the golden change', (norm, b, expected) => {
    expect(projectHyperplane(norm, x, w, b - 1, [0, 1])).toBeAllClose(expected, { atol: 1e-6 });
  });

  it.each(['Linf', 'L2', 'L1'] as const)('%s: closes the gap, and no random change that does is shorter', (norm) => {
    const rng = createRng(2);
    for (let trial = 0; trial < 50; trial++) {
      const [point, normal, direction] = [rng.uniform(6), rng.normal(6), rng.normal(6)];
      const change = projectHyperplane(norm, point, normal, 0.3, [0, 1]);
      const dot = (a: ArrayLike<number>): number => normal.reduce((total, value, i) => total + value * a[i]!, 0);
      const length = (a: ArrayLike<number>): number => GEOMETRIES[norm].distance(Float32Array.from(a), new Float32Array(6));
      expect(Array.from(change, (d, i) => d + point[i]!)).toBeWithin(-1e-6, 1 + 1e-6);
      if (Math.abs(dot(change) - 0.3) > 1e-4) continue; // the corner of the box is too near
      // Another way there: a random change, stretched until it closes the gap, if it then stays within bounds.
      const stretch = 0.3 / dot(direction);
      const other = direction.map((d) => d * stretch);
      if (other.every((d, i) => d + point[i]! >= 0 && d + point[i]! <= 1)) expect(length(other)).toBeGreaterThanOrEqual(length(change) * (1 - 1e-5));
    }
  });
});

describe('rankTargets', () => {
  it('lists the other classes of each row, most likely first', () => {
    const ranks = rankTargets(Float32Array.of(3, 1, 2, 0, 5, 4), Int32Array.of(0, 2), 9);
    expect(ranks.map((aims) => Array.from(aims))).toEqual([[2, 1], [1, 0]]);
  });
});

describe('square', () => {
  it('halves its squares on the released schedule, stretched over all queries', () => {
    expect([0, 6, 26, 101, 251].map((query) => shareAt(query, 5000, 0.8))).toEqual([0.8, 0.4, 0.2, 0.1, 0.05]);
    expect(shareAt(4999, 5000, 0.8)).toBe(0.8 / 512);
  });

  it('moves an L2 change by dipoles of unit length that add up to nearly nothing', () => {
    const shape = dipole('L2', 5, 5, false);
    expect(Math.hypot(...shape)).toBeCloseTo(1, 9);
    expect(shape[2]! * shape[22]!).toBeLessThan(0);
    // The bump of one by three is (1/4, 5/4, 1/4) over its length.
    const [a, b, c] = Array.from(dipole('L2', 1, 3, false));
    expect([a, b, c]).toBeAllClose([-0.19245, -0.96225, -0.19245], { atol: 1e-5 });
    // In L1 it falls off with the fourth power: (1/16, 17/16, 1/16) over its sum.
    expect(Array.from(dipole('L1', 1, 3, false))).toBeAllClose([-1 / 19, -17 / 19, -1 / 19], { atol: 1e-9 });
  });

  it.each(['Linf', 'L2', 'L1'] as const)('%s: finds what gradients do not show', (norm) => {
    // A staircase in the brightness of the upper half over the lower: no gradient anywhere.
    const halves = tensor1d(Array.from({ length: 36 }, (_, i) => (i < 18 ? 1 : -1)));
    const model = (x: Tensor): Tensor2D => {
      const level = floor(mul(matMul(reshape(x, [x.shape[0]!, 36]) as Tensor2D, reshape(halves, [36, 1])), 4));
      return add(matMul(cast(level, 'float32') as Tensor2D, tensor2d([[-1, 1]])), tensor2d([[0.5, -0.5]])) as Tensor2D;
    };
    const x = tensor(new Float32Array(72).fill(0.5), [2, 6, 6, 1]);
    const y = tensor1d([0, 0], 'int32');
    tidy(() => {
      const { success, adversarial } = square({ eps: { Linf: 0.1, L2: 0.5, L1: 3 }[norm], norm, queries: 200 }).perturb(model, x, y, context());
      expect(success).toBeAllClose([1, 1]);
      expect(adversarial).toBeWithin(0, 1);
    });
    dispose([halves, x, y]);
  });
});

describe('fab', () => {
  it('is not led by a loss: it succeeds where a confident model has no gradient of the cross entropy', () => {
    tidy(() => {
      const steep = linearModel([[-400, 400], [0, 0]], [200.4, -200.4]);
      const x = tensor2d([[0.5, 0.5]]);
      expect(fabTargeted({ eps: 0.002 }).perturb(steep, x, tensor1d([0], 'int32'), context()).success).toBeAllClose([1]);
    });
  });
});

describe('sequence', () => {
  const net = tinyNet(6, 3, 7);
  const images = createRng(3).uniform(60);
  const labelsOf = (): Int32Array => tidy(() => predictions(net, tensor(images, [10, 6])));

  it('gives every row the verdict of the worst of its parts, by the same draws', () => {
    tidy(() => {
      const x = tensor(images, [10, 6]);
      const labels = labelsOf();
      const y = tensor1d(labels, 'int32');
      const parts = [fgsm({ eps: 0.06 }), apgd({ eps: 0.06, steps: 10 }), square({ eps: 0.06, queries: 20 })];
      const alone = parts.map((attack) => attack.perturb(net, x, y, context()));
      const together = sequence('all', parts).perturb(net, x, y, context());
      const verdicts = alone.map(({ success }) => Array.from(success.dataSync()));
      expect(Array.from(together.success.dataSync())).toEqual(Array.from(labels, (_, row) => Math.max(...verdicts.map((verdict) => verdict[row]!))));
      // A row that an earlier part fooled has that part's very input.
      const first = verdicts.map((_, i) => i);
      verdicts[0]!.forEach((_, row) => {
        const winner = first.find((part) => verdicts[part]![row] === 1);
        if (winner === undefined) return;
        const rowOf = (t: Tensor): number[] => Array.from(t.dataSync().slice(row * 6, row * 6 + 6));
        expect(rowOf(together.adversarial)).toEqual(rowOf(alone[winner]!.adversarial));
      });
    });
  });

  it('keeps three tensors, and none when a part throws', () => {
    const [x, y] = [tensor(images, [10, 6]), tensor1d(labelsOf(), 'int32')];
    const attack = sequence('two', [fgsm({ eps: 0.1 }), apgd({ eps: 0.1, steps: 3 })]);
    const { adversarial, success, loss } = expectTensorsKept(3, () => attack.perturb(net, x, y, context()));
    let calls = 0;
    const failing = (input: Tensor): Tensor2D => {
      if (++calls > 2) throw new Error('enough');
      return net(input);
    };
    expectTensorsKept(0, () => expect(() => attack.perturb(failing, x, y, context())).toThrow('enough'));
    dispose([x, y, adversarial, success, loss]);
  });

  it('refuses two parts of one name', () => {
    expect(() => sequence('x', [fgsm({ eps: 1 }), fgsm({ eps: 2 })])).toThrow("sequence: attacks must have distinct names, got 'fgsm'. Give one of them a label.");
  });
});

describe('autoAttack', () => {
  it('has the parts of its version, and needs gradients', () => {
    const names = (version: 'standard' | 'quick' | 'plus' | 'moe'): string[] => autoAttack({ eps: 0.1, version }).options.attacks.map(({ name }) => name);
    expect(names('standard')).toEqual(['apgd', 'apgdTargeted', 'fabTargeted', 'square']);
    expect(names('quick')).toEqual(['apgd', 'square', 'apgdTargeted']);
    expect(names('moe')).toEqual(['apgd', 'apgdTargeted', 'trainingGates', 'relaxedGates', 'twoPhase', 'expertTargeted', 'pathEnumeration', 'fabTargeted', 'square']);
    expect(names('plus')).toEqual(['apgd:ce', 'apgd:dlr', 'fab', 'square', 'apgdTargeted', 'fabTargeted']);
    expect(autoAttack({ eps: 12, norm: 'L1' }).options.attacks.slice(0, 2).map(({ options }) => options)).toMatchObject([{ restarts: 5, multiEps: true }, { targets: 5, multiEps: true }]);
    expect(autoAttack({ eps: 0.1, version: 'quick' }).options.attacks.slice(1).map(({ options }) => options)).toMatchObject([{ giveUp: true }, { targets: 3 }]);
    expect(autoAttack({ eps: 0.1 }).access).toBe('gradient');
    expect(autoAttack({ eps: 0.1, norm: 'L2' }).options).toMatchObject({ eps: 0.1, norm: 'L2', bounds: [0, 1] });
    expect(sequence('two balls', [fgsm({ eps: 0.1 }), fgsm({ eps: 0.2, label: 'wide' })]).options).not.toHaveProperty('eps');
  });

  it('gives its parts one by one', () => {
    const options = { eps: 12, norm: 'L1', version: 'plus' } as const;
    expect(autoAttackParts(options).map(({ name, options: recorded }) => ({ name, options: recorded }))).toEqual(autoAttack(options).options.attacks);
    expect(() => autoAttackParts({ eps: 0.1, version: 'fast' as 'quick' })).toThrow(/autoAttackParts: version must be/);
  });

  it('decides a linear model of three classes exactly', () => {
    tidy(() => {
      const weights = [[1, -1, 0.5], [0.5, 1, -1]];
      const model = linearModel(weights, [0, 0, 0]);
      const x = [0.6, 0.4];
      // Distance in L-inf to the nearest other class: gap over the L1 norm of the difference of weights.
      const scores = [0, 1, 2].map((j) => x[0]! * weights[0]![j]! + x[1]! * weights[1]![j]!);
      const distance = Math.min(...[1, 2].map((j) => (scores[0]! - scores[j]!) / (Math.abs(weights[0]![0]! - weights[0]![j]!) + Math.abs(weights[1]![0]! - weights[1]![j]!))));
      const verdict = (eps: number): number => autoAttack({ eps, version: 'quick' }).perturb(model, tensor2d([x]), tensor1d([0], 'int32'), context()).success.dataSync()[0]!;
      expect([verdict(distance * 0.999), verdict(distance * 1.001)]).toEqual([0, 1]);
    });
  });

  it('attacks the mean over the noise of a randomised model in its version rand', () => {
    expect(autoAttack({ eps: 0.1, version: 'rand' }).options.attacks).toMatchObject([
      { name: 'apgd:ce:eot-20', options: { draws: 20 } },
      { name: 'apgd:dlr:eot-20', options: { draws: 20 } },
    ]);
    expect(() => autoAttack({ eps: 0.1, version: 'rand', compile: (fn) => fn })).toThrow(/compile must be left out with version 'rand'.*Compiled passes have no noise/);
  });

  it('finds the runner-up classes that untargeted steps pass by', () => {
    tidy(() => {
      const x = tensor(createRng(9).uniform(30 * 6), [30, 6]);
      const model = tinyNet(6, 5, 11);
      const logits = model(x);
      const y = tensor1d(Array.from(logits.arraySync() as number[][], (row) => row.indexOf(Math.max(...row))), 'int32');
      const count = (attack: ReturnType<typeof apgdTargeted> | ReturnType<typeof apgd>): number => Array.from(attack.perturb(model, x, y, context()).success.dataSync()).reduce((a, b) => a + b, 0);
      expect(count(apgdTargeted({ eps: 0.05, steps: 20 }))).toBeGreaterThanOrEqual(count(apgd({ eps: 0.05, steps: 20 })));
    });
  });
});
