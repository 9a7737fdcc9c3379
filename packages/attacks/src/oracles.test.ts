import { type Tensor2D, add, floor, matMul, mul, sub, sum, tanh, tensor, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { apgd } from './apgd.js';
import { apgdTargeted } from './apgd-targeted.js';
import { hopSkipJump } from './black-box/hop-skip-jump.js';
import { fab } from './fab/fab.js';
import { fgsm } from './fgsm.js';
import { GEOMETRIES } from './geometry/geometry.js';
import { measure } from './internal/measure.js';
import { objectiveOf } from './internal/objective.js';
import { createProblem } from './internal/problem.js';
import { deepFool } from './minimum-norm/deep-fool.js';
import { mifgsm } from './momentum/mifgsm.js';
import { type PgdOptions, pgd } from './pgd.js';
import { square } from './square.js';
import { linearModel, predictions, tinyNet } from './testing/models.js';

const [SIZE, CLASSES, ROWS] = [6, 4, 20];
const net = tinyNet(SIZE, CLASSES, 13);
const images = createRng(21).uniform(ROWS * SIZE);

/** 1 where the model is wrong, the points, and the losses, for every row. */
function run(attack: Attack, model: LogitsFn = net, inputs: Float32Array = images, labels?: ArrayLike<number>) {
  return tidy(() => {
    const x = tensor(inputs.slice(), [inputs.length / SIZE, SIZE]);
    const truth = Array.from(labels ?? predictions(model, x));
    const { adversarial, success, loss } = attack.perturb(model, x, tensor1d(truth, 'int32'), { rng: createRng(1) });
    return { adversarial: Array.from(adversarial.dataSync()), success: Array.from(success.dataSync()), loss: Array.from(loss.dataSync()) };
  });
}

const ATTACKS: readonly (readonly [name: string, make: (options: object) => Attack])[] = [
  ['fgsm', (options) => fgsm({ eps: 0.1, ...options })],
  ['pgd', (options) => pgd({ eps: 0.1, steps: 10, ...options })],
  ['apgd', (options) => apgd({ eps: 0.1, steps: 12, ...options })],
  ['mifgsm', (options) => mifgsm({ eps: 0.1, steps: 10, ...options })],
];

describe('a linear model of several classes', () => {
  it.each(['Linf', 'L2', 'L1'] as const)('is fooled in %s exactly beyond its distance to the nearest boundary', (norm) => {
    for (let seed = 1; seed <= 6; seed++) {
      const weights = Array.from({ length: SIZE }, (_, i) => Array.from(createRng(seed).at(i).normal(CLASSES)));
      const x = createRng(seed).stream('x').uniform(SIZE, 0.4, 0.6);
      const logits = Array.from({ length: CLASSES }, (_, j) => weights.reduce((total, row, i) => total + row[j]! * x[i]!, 0));
      const label = logits.indexOf(Math.max(...logits));
      // The bias brings the runner-up within 0.02, so that no bound of the images is near.
      const bias = logits.map((z, j) => (j === label ? 0.02 - z + Math.max(...logits.filter((_, k) => k !== label)) : 0));
      const distances = logits.map((z, j) => {
        if (j === label) return Infinity;
        const slopes = Float32Array.from(weights, (row) => row[j]! - row[label]!);
        const gap = logits[label]! + bias[label]! - z;
        return gap / GEOMETRIES[norm].dualLength(slopes);
      });
      const nearest = Math.min(...distances);
      const target = distances.indexOf(nearest);
      const model = linearModel(weights, bias);
      // Towards the class of the nearest boundary, a linear path; without a target the loss may prefer another class first.
      const attacks = (eps: number): Attack[] => [
        pgd({ eps, norm, steps: 12, stepSize: eps, target: [target], loss: 'cw' }),
        apgd({ eps, norm, steps: 20, target: [target], loss: 'cw' }),
        fgsm({ eps, norm, target: [target], loss: 'cw' }),
        apgdTargeted({ eps, norm, steps: 20 }),
        fab({ eps, norm, steps: 10 }),
      ];
      for (const before of [...attacks(nearest * (1 - 1e-3)), pgd({ eps: nearest * (1 - 1e-3), norm }), apgd({ eps: nearest * (1 - 1e-3), norm })]) expect(run(before, model, x, [label]).success).toEqual([0]);
      for (const beyond of attacks(nearest * (1 + 1e-3))) {
        const { adversarial } = run(beyond, model, x, [label]);
        expect(tidy(() => predictions(model, tensor2d([adversarial])))[0]).not.toBe(label);
      }
    }
  });
});

describe.each(ATTACKS)('%s', (name, make) => {
  it('walks the same way for logits that are shifted and scaled, with losses that are not misled by them', () => {
    const scaled: LogitsFn = (x) => add(mul(net(x), 4), 3) as Tensor2D;
    for (const loss of ['cw', 'dlr']) {
      const [plain, other] = [run(make({ loss })), run(make({ loss }), scaled)];
      expect(other.success).toEqual(plain.success);
      // Equal up to float32: the shift rounds the logits. The sign of a slope near zero is not followed so closely.
      const same = plain.adversarial.filter((value, i) => Math.abs(value - other.adversarial[i]!) < 1e-5).length;
      expect(same).toBeGreaterThanOrEqual(0.99 * plain.adversarial.length);
    }
  });

  it('commutes with a change of the names of classes', () => {
    const order = [2, 0, 3, 1]; // class j of the renamed model is class order[j] of the model
    const permutation = order.map((old) => order.map((_, j) => Number(j === old)));
    const renamed: LogitsFn = (x) => matMul(net(x), tensor2d(permutation), false, true);
    const labels = tidy(() => predictions(net, tensor(images.slice(), [ROWS, SIZE])));
    const names = Array.from(labels, (label) => order.indexOf(label));
    for (const loss of ['ce', 'cw', 'dlr']) {
      const [plain, other] = [run(make({ loss }), net, images, labels), run(make({ loss }), renamed, images, names)];
      expect(other.success).toEqual(plain.success);
      expect(other.adversarial.filter((value, i) => Math.abs(value - plain.adversarial[i]!) < 1e-5).length).toBeGreaterThanOrEqual(0.99 * plain.adversarial.length);
    }
  });

  // AutoPGD draws its first point, which would belong to other pixels.
  it.skipIf(name === 'apgd')('commutes with a permutation of the pixels', () => {
    const order = [3, 0, 5, 1, 4, 2]; // pixel i of a permuted image is pixel order[i] of the image
    const back = order.map((pixel) => order.map((_, i) => Number(i === pixel)));
    const permuted: LogitsFn = (x) => net(matMul(x as Tensor2D, tensor2d(back)));
    const permute = (values: ArrayLike<number>): number[] => Array.from({ length: values.length }, (_, i) => values[SIZE * Math.floor(i / SIZE) + order[i % SIZE]!]!);
    const labels = tidy(() => predictions(net, tensor(images.slice(), [ROWS, SIZE])));
    const options = { loss: 'cw', ...('start' in make({}).options && { start: 'none' }) };
    const [plain, other] = [run(make(options), net, images, labels), run(make(options), permuted, Float32Array.from(permute(images)), labels)];
    expect(other.success).toEqual(plain.success);
    expect(permute(plain.adversarial).filter((value, i) => Math.abs(value - other.adversarial[i]!) < 1e-5).length).toBeGreaterThanOrEqual(0.99 * plain.adversarial.length);
  });

  it('succeeds without a target wherever it does with one', () => {
    const labels = tidy(() => predictions(net, tensor(images.slice(), [ROWS, SIZE])));
    const { adversarial, success } = run(make({ eps: 0.3, target: 'runner-up' }), net, images, labels);
    const found = tidy(() => predictions(net, tensor(Float32Array.from(adversarial), [ROWS, SIZE])));
    expect(success.reduce((a, b) => a + b)).toBeGreaterThan(3);
    success.forEach((hit, row) => hit === 1 && expect(found[row]).not.toBe(labels[row]));
  });

  it('leaves 8-bit images of its ball in the ball when they are rounded to 8 bits', () => {
    const eps = 8 / 255;
    const grid = images.map((value) => Math.fround(Math.round(255 * value) / 255));
    const { adversarial } = run(make({ eps }), net, grid);
    adversarial.forEach((value, i) => expect(Math.abs(Math.round(255 * value) - Math.round(255 * grid[i]!))).toBeLessThanOrEqual(8));
  });
});

describe('a model of steps, without a gradient anywhere', () => {
  // The second class leads from Σ x = 3.5 on, in steps of a quarter; a change of 0.1 at each coordinate goes from 3.1 to 3.7.
  const steps: LogitsFn = (x) => sub(matMul(floor(mul(sum(x, 1, true), 4)) as Tensor2D, tensor2d([[0, 1]])), tensor2d([[0, 13.5]]));
  const image = Float32Array.from({ length: SIZE }, () => 3.1 / SIZE);

  it.each<[string, Attack, number]>([
    ['pgd', pgd({ eps: 0.1, steps: 10, start: 'none' }), 0],
    ['apgd', apgd({ eps: 0.1, steps: 10 }), 0],
    ['fab', fab({ eps: 0.1, steps: 10 }), 0],
    ['deepFool', deepFool({ eps: 0.1, norm: 'Linf' }), 0],
    ['square', square({ eps: 0.1, queries: 60 }), 1],
    ['hopSkipJump', hopSkipJump({ eps: 0.1, norm: 'Linf', queries: 3000 }), 1],
  ])('is fooled by what asks for no gradient: %s', (_, attack, success) => {
    expect(run(attack, steps, image, [0]).success).toEqual([success]);
  });
});

it('never does worse with more steps of PGD, of the same size and from the same start', () => {
  const options = { eps: 0.05, stepSize: 0.01, goal: 'maxLoss' } satisfies PgdOptions;
  const losses = [1, 3, 10, 30].map((steps) => run(pgd({ ...options, steps })).loss);
  losses.slice(1).forEach((more, i) => more.forEach((loss, row) => expect(loss).toBeGreaterThanOrEqual(losses[i]![row]!)));
});

describe('the input gradient', () => {
  it.each([
    ['ce', 'none'],
    ['cw', 'none'],
    ['dlr', 'none'],
    ['kl', 'none'],
    ['ce', 'least-likely'],
    ['dlr', 'runner-up'],
  ] as const)('of %s, target %s, has the slopes of finite differences along random directions', (loss, target) => {
    // A smooth network: differences across a kink say nothing about the slope on either side.
    const rng = createRng(4);
    const [first, second] = [rng.normal(SIZE * 8), rng.normal(8 * CLASSES)];
    const smooth: LogitsFn = (x) => matMul(tanh(matMul(x as Tensor2D, tensor2d(first, [SIZE, 8]))), tensor2d(second, [8, CLASSES]));
    const input = createRng(5).uniform(SIZE);
    const label = tidy(() => predictions(smooth, tensor2d([Array.from(input)])));
    const x = tensor2d([Array.from(input)]);
    const y = tensor1d(label, 'int32');
    const asked = createProblem('pgd', smooth, x, y, { rng: createRng(1) }, [0, 1]);
    x.dispose();
    y.dispose();
    const { problem, rowLoss } = objectiveOf(asked, loss, target);
    const point = loss === 'kl' ? input.map((value, i) => value + 0.1 * Math.cos(i)) : input;
    const { gradient, scale } = measure(problem, rowLoss, point, [0], true);
    const h = 3e-3;
    for (let trial = 0; trial < 20; trial++) {
      const direction = createRng(6).at(trial).normal(SIZE);
      const at = (step: number): number => measure(problem, rowLoss, point.map((value, i) => value + step * direction[i]!), [0], false).loss[0]!;
      const slope = direction.reduce((total, d, i) => total + d * gradient![i]! * scale[0]!, 0);
      const length = Math.hypot(...gradient!) * scale[0]! * Math.hypot(...direction);
      // Rounding of float32 losses over 2 h, and curvature; relative to the longest slope that a direction of this length can have.
      expect(Math.abs((at(h) - at(-h)) / (2 * h) - slope) / length).toBeLessThan(1e-2);
    }
  });
});
