import { type Tensor, type Tensor2D, add, clone, customGrad, floor, mul, neg, sin, sqrt, sum, tensor4d, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { ENGINE, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { fab } from '../fab/fab.js';
import { pgd } from '../pgd.js';
import { tinyDataset } from '../testing/datasets.js';
import { linearModel, predictions, tinyNet } from '../testing/models.js';
import { type DiagnoseOptions, diagnose } from './diagnose.js';
import type { AttackMaker } from './subject.js';

const COUNT = 24;
const smooth = linearModel([[3, 0], [0, 3], [-2, 1], [1, -2]], [0, 0.1]);
const inputs = createRng(8).uniform(4 * COUNT);
const labels = Array.from({ length: COUNT }, (_, i) => {
  const [a, b, c, d] = inputs.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
  return 3 * a - 2 * c + d >= 3 * b + c - 2 * d + 0.1 ? 0 : 1; // the larger logit of `smooth`
});
const task: DiagnoseOptions = { model: smooth, data: tinyDataset(labels, inputs), eps: 0.1, seed: 2, examples: 24, steps: 40 };

const found = async (change: Partial<DiagnoseOptions>) => {
  const { findings, trust } = await expectTensorsKept(0, () => diagnose({ ...task, ...change }));
  return { ids: findings.map(({ id }) => id), trust };
};

/** The same values with another gradient. */
const withGradient = (change: (gradient: Tensor) => Tensor): LogitsFn => (x) =>
  smooth(customGrad((input) => ({ value: clone(input as Tensor), gradFunc: (dy) => change(dy as Tensor) }))(x));
const stepped: LogitsFn = (x) => smooth(mul(floor(mul(x, 20)), 1 / 20));
/** Steps whose edges the backward pass does not know. */
const straightThrough: LogitsFn = (x) => smooth(customGrad((input) => ({ value: mul(floor(mul(input as Tensor, 20)), 1 / 20), gradFunc: (dy) => clone(dy as Tensor) }))(x));
const rough: LogitsFn = (x) => add(smooth(x), mul(sin(mul(smooth(x), 1000)), 10)) as Tensor2D;

/** All inputs on the grid of 8 bits, all a third of a grey level from the boundary. */
const fine: Partial<DiagnoseOptions> = {
  model: linearModel([[1, 0], [0, 1], [0, 0], [0, 0]], [1 / 765, 0]),
  data: tinyDataset(new Array<number>(COUNT).fill(0), Float32Array.from({ length: 4 * COUNT }, (_, i) => (3 + 2 * Math.floor(i / 4)) / 255)),
  eps: 0.4 / 255,
};

const idle = (options: Parameters<AttackMaker>[0]): Attack => pgd({ ...options, steps: 0, start: 'none' });
const weakBeyond = (key: 'eps' | 'steps', most: number): AttackMaker => (options) => (options[key] > most ? idle(options) : pgd(options));
const silent: AttackMaker = (options) => {
  const attack = pgd(options);
  return {
    ...attack,
    perturb: (model, x, y, context) => {
      const { adversarial, success, loss } = attack.perturb(model, x, y, context);
      adversarial.dispose();
      return { adversarial: clone(x), success: mul(success, 0), loss };
    },
  };
};

describe('diagnose', () => {
  it('finds nothing on a linear model, whose gradients are exact, and measures so', async () => {
    const { findings, trust, measures, examples } = await expectTensorsKept(0, () => diagnose({ ...task, twin: tinyNet(4, 2, 3) }));
    expect({ findings, trust }).toEqual({ findings: [], trust: 'ok' });
    expect(examples).toHaveLength(COUNT);
    const { robust, robustHalfEps, robustDoubleEps, robustMoreSteps, robustSingleStep, robustNoise, robustBlackBox, robustTransfer } = measures!;
    expect(robustHalfEps).toBeGreaterThan(robust);
    expect(robust).toBeGreaterThan(robustDoubleEps);
    expect(robustNoise).toBeGreaterThanOrEqual(robust);
    expect(robustTransfer).toBeGreaterThanOrEqual(robust);
    // The only corner that matters is that of the gradient's signs.
    expect([robustMoreSteps, robustSingleStep, robustBlackBox]).toEqual([robust, robust, robust]);
    expect(measures).toMatchObject({ robustUnbounded: 0, zeroSteps: 0, zeroCoordinates: 0, plantedFound: 1 });
    expect(measures!.gradientError).toBeLessThan(0.02);
    expect(measures!.plantedFoundAtRandom).toBeLessThan(1);
  });

  it.each(['Linf', 'L2', 'L1'] as const)('finds nothing on a network with kinks in %s', async (norm) => {
    const model = tinyNet(4, 3, 5);
    const data = tinyDataset([...tidy(() => predictions(model, tensor4d(inputs.slice(), [COUNT, 2, 2, 1])))], inputs);
    const { findings } = await diagnose({ ...task, model, data, norm, eps: norm === 'L1' ? 0.15 : 0.05, attack: (options) => pgd({ ...options, restarts: 3, loss: 'cw' }) });
    expect(findings).toEqual([]);
  });

  it.each([
    ['larger-eps-weaker', { attack: weakBeyond('eps', 0.06) }],
    ['more-steps-weaker', { attack: weakBeyond('steps', 40) }],
    ['single-step-stronger', { attack: (options) => pgd({ ...options, start: 'none', stepSize: options.eps / 100 }) }],
    ['not-converged', { attack: (options) => pgd({ ...options, start: 'none', stepSize: options.eps / 40 }) }],
    ['silent-success', { attack: silent }],
    ['unbounded-survivors and attack-misses-planted', { attack: idle }],
    ['noise-stronger and transfer-stronger', { model: withGradient(neg), twin: smooth }],
    ['black-box-stronger and zero-gradient', { model: stepped }],
    ['gradient-mismatch', { model: withGradient((gradient) => mul(gradient, 3)) }],
    ['gradient-mismatch', { model: straightThrough }],
    ['lost-by-rounding', fine],
  ] as [string, Partial<DiagnoseOptions>][])('finds %s where it was planted', async (planted, change) => {
    const { ids, trust } = await found(change);
    expect(ids).toEqual(expect.arrayContaining(planted.split(' and ')));
    expect(trust).not.toBe('ok');
  });

  it('does not call it silent when an attack passes adversarial points outside of the ball', async () => {
    const { ids } = await found({ attack: ({ eps, norm, bounds, steps }) => fab({ eps, norm, bounds, steps }), norm: 'L2' });
    expect(ids).toEqual([]);
  });

  it('says what is not finite instead of taking its sign', async () => {
    const { findings, measures, trust } = await expectTensorsKept(0, () => diagnose({ ...task, model: (x) => add(smooth(x), sum(sqrt(mul(x, 0)))) as Tensor2D }));
    expect(findings).toMatchObject([{ id: 'not-finite', severity: 'invalid', message: expect.stringContaining('input gradient must be finite, got NaN') }]);
    expect({ measures, trust }).toEqual({ measures: null, trust: 'invalid' });
  });

  it('finds unstable-loss where it was planted, and gives the same for the same seed, as plain JSON', async () => {
    const first = await expectTensorsKept(0, () => diagnose({ ...task, model: rough, seed: 2 }));
    expect(first.findings.map(({ id }) => id)).toContain('unstable-loss');
    expect(await diagnose({ ...task, model: rough, seed: 2 })).toEqual(first);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
    expect(first).toMatchObject({ schema: 'moe.diagnosis/1', engine: ENGINE, eps: 0.1, norm: 'Linf', attack: { name: 'pgd', options: { eps: 0.1, steps: 40 } } });
  });

  it('takes examples from all over the data and leaves out those that are wrong', async () => {
    const wrong = labels.map((label, i) => (i === 12 ? 1 - label : label));
    const { examples } = await diagnose({ ...task, data: tinyDataset(wrong, inputs), examples: 4 });
    expect(examples).toEqual([0, 6, 18]);
  });

  it('says how far it is, and stops when the signal fires', async () => {
    const seen: string[] = [];
    const stop = new AbortController();
    const onProgress = (done: number, total: number, name: string): void => {
      seen.push(`${done}/${total} ${name}`);
      if (done === 2) stop.abort();
    };
    await expect(expectTensorsKept(0, () => diagnose({ ...task, signal: stop.signal, onProgress }))).rejects.toMatchObject({ code: 'ABORTED' });
    expect(seen).toEqual(['0/13 attack', '1/13 step', '2/13 radii']);
  });

  it.each([
    [{ eps: 0 }, /diagnose: eps must be/],
    [{ norm: 'L3' }, /norm must be one of/],
    [{ examples: 0 }, /examples must be/],
    [{ example: 3 }, /Did you mean 'examples'/],
    [{ data: tinyDataset(labels.map((label) => 1 - label), inputs) }, /model must get one of 24 examples right, got 'none'/],
  ] as [object, RegExp][])('refuses %j', async (change, message) => {
    await expect(diagnose({ ...task, ...change })).rejects.toThrow(message);
  });
});
