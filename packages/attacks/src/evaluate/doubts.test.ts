import { type Tensor2D, add, floor, logSoftmax, mul, onesLike, scalar, softmax, tensor2d, tensor4d, tidy, variable } from '@tensorflow/tfjs-core';
import { type Attack, type LogitsFn, createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { apgd } from '../apgd.js';
import { fgsm } from '../fgsm.js';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { tinyDataset } from '../testing/datasets.js';
import { net, task } from '../testing/evaluations.js';
import { linearModel, predictions } from '../testing/models.js';
import { type EvaluateOptions, evaluate } from './evaluate.js';
import { findingsOf, trustOf } from './findings.js';
import { type AttackFacts, type Tally, emptyTally } from './tally.js';

const found = async (change: Partial<EvaluateOptions>) => {
  const { findings, trust } = await expectTensorsKept(0, () => evaluate({ ...task(), ...change }));
  return { ids: findings.map(({ id }) => id), trust };
};

/** The nearest numbers with a few bits less, as a 16-bit format has. */
const rounded = (bits: number): LogitsFn => (x) => {
  const logits = net(x);
  const words = new Uint32Array((logits.dataSync() as Float32Array).slice().buffer).map((word) => ((word + (1 << (22 - bits))) & ~((1 << (24 - bits)) - 1)) >>> 0);
  // A straight-through rounding: values of 16 bits, gradients of the model.
  return add(logits, tensor2d(new Float32Array(words.buffer).map((value, i) => value - logits.dataSync()[i]!), logits.shape)) as Tensor2D;
};

describe('doubts of an evaluation', () => {
  it('has none of a plain model', async () => {
    expect(await found({})).toEqual({ ids: [], trust: 'ok' });
  });

  it('probabilities instead of logits, but not numbers that only look a little like them', async () => {
    expect(await found({ model: (x) => softmax(net(x)) })).toMatchObject({ ids: expect.arrayContaining(['looks-like-probabilities']), trust: 'invalid' });
    expect(await found({ model: (x) => mul(softmax(net(x)), 1.001) as Tensor2D })).toEqual({ ids: [], trust: 'ok' });
  });

  it('logarithms of probabilities', async () => {
    expect(await found({ model: (x) => logSoftmax(net(x)) })).toEqual({ ids: ['looks-like-log-probabilities'], trust: 'suspect' });
    expect(await found({ model: (x) => add(logSoftmax(net(x)), -0.001) as Tensor2D })).toEqual({ ids: [], trust: 'ok' });
  });

  it('numbers of 16 bits, by the bits that their format has', async () => {
    expect(await found({ model: rounded(11) })).toEqual({ ids: ['half-precision'], trust: 'suspect' });
    expect(await found({ model: rounded(8) })).toEqual({ ids: ['half-precision'], trust: 'suspect' });
    expect(await found({ model: rounded(16) })).toEqual({ ids: [], trust: 'ok' });
  });

  it('a model that answers differently each time, beyond the threshold of AutoAttack', async () => {
    let calls = 0;
    const drifting = (by: number): LogitsFn => (x) => add(net(x), ++calls * by) as Tensor2D;
    expect(await found({ model: drifting(1e-3) })).toMatchObject({ ids: expect.arrayContaining(['non-deterministic']), trust: 'invalid' });
    calls = 0;
    expect(await found({ model: drifting(1e-9) })).toEqual({ ids: [], trust: 'ok' });
  });

  it('a model whose answer depends on the batch', async () => {
    const crowded: LogitsFn = (x) => mul(net(x), 1 + 0.01 * x.shape[0]!) as Tensor2D;
    expect(await found({ model: crowded })).toEqual({ ids: ['batch-dependent'], trust: 'suspect' });
  });

  it('weights and statistics that a forward pass moves, by name', async () => {
    const mean = variable(scalar(0), false, 'running/mean');
    try {
      const training: LogitsFn = (x) => {
        mean.assign(add(mean, 0.1) as ReturnType<typeof scalar>);
        return net(x);
      };
      const { findings, trust } = await evaluate({ ...task(), model: training });
      expect(findings).toMatchObject([{ id: 'weights-changed', message: '1 variables changed during the evaluation, e.g. running/mean.' }]);
      expect(trust).toBe('invalid');
      // The same variable, only read.
      expect(await found({ model: (x) => add(net(x), mul(mean, 0)) as Tensor2D })).toEqual({ ids: [], trust: 'ok' });
    } finally {
      mean.dispose();
    }
  });

  it('gradients that vanish', async () => {
    const flat: LogitsFn = (x) => add(mul(linearModel([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 0, 0])(x), 0), [5, 1, 0]) as Tensor2D;
    const data = tinyDataset([0, 0, 1, 0]);
    const { findings, trust } = await evaluate({ ...task(), model: flat, data });
    expect(findings).toMatchObject([{ id: 'zero-gradient', examples: [0, 1, 3] }]);
    expect(trust).toBe('invalid');
    expect(await found({ model: flat, data, attacks: [square({ eps: 0.1, queries: 3 })] })).toEqual({ ids: [], trust: 'ok' });
  });

  it('an attack without gradients that fools what gradient attacks do not', async () => {
    const smooth = linearModel([[4, 0], [0, 4], [-3, 1], [1, -2]], [0, 0.1]);
    // Steps of a 16th: no gradient sees over their edge.
    const stepped: LogitsFn = (x) => smooth(mul(floor(mul(x, 16)), 1 / 16));
    const inputs = createRng(8).uniform(4 * 30);
    const data = tinyDataset([...tidy(() => predictions(smooth, tensor4d(inputs.slice(), [30, 2, 2, 1])))], inputs);
    const attacks = [pgd({ eps: 0.1, steps: 10 }), square({ eps: 0.1, queries: 40 })];
    expect((await found({ model: stepped, data, attacks })).ids).toEqual(['zero-gradient', 'black-box-stronger']);
    expect(await found({ model: smooth, data, attacks })).toEqual({ ids: [], trust: 'ok' });
  });

  it('a stronger attack that does worse', async () => {
    const idle: Attack = { ...apgd({ eps: 0.1 }), perturb: (...args) => apgd({ eps: 0, steps: 1 }).perturb(...args) };
    expect(await found({ attacks: [pgd({ eps: 0.1, steps: 5 }), idle] })).toEqual({ ids: ['stronger-attack-weaker'], trust: 'invalid' });
  });

  it('an attack that claims what is not so', async () => {
    const boastful: Attack = {
      ...pgd({ eps: 0.1 }),
      perturb: (model, inputs, labels, context) => {
        const result = pgd({ eps: 0, steps: 1 }).perturb(model, inputs, labels, context);
        return { ...result, success: onesLike(result.success) };
      },
    };
    expect(await found({ attacks: [boastful] })).toEqual({ ids: ['verdict-mismatch'], trust: 'suspect' });
  });
});

describe('findingsOf', () => {
  /** 1000 examples, all right, of which each attack fools the first few. */
  const tallyOf = (...fooled: [AttackFacts, number][]): Tally => ({
    ...emptyTally([]),
    ids: Array.from({ length: 1000 }, (_, i) => i),
    clean: '1'.repeat(1000),
    robust: Object.fromEntries(fooled.map(([{ name }, count]) => [name, '0'.repeat(count) + '1'.repeat(1000 - count)])),
    signs: { ...emptyTally([]).signs, probabilities: false, logProbabilities: false },
  });
  const judge = (...fooled: [AttackFacts, number][]) => findingsOf(tallyOf(...fooled), fooled.map(([attack]) => attack));
  const eps = 0.1;

  it.each([
    ['larger-eps-weaker', pgd({ eps, label: 'a' }), pgd({ eps: 0.2, label: 'b' })],
    ['more-steps-weaker', pgd({ eps, steps: 10, label: 'a' }), pgd({ eps, steps: 20, label: 'b' })],
    ['more-steps-weaker', square({ eps, queries: 10, label: 'a' }), square({ eps, queries: 20, label: 'b' })],
    ['single-step-stronger', fgsm({ eps }), pgd({ eps })],
    ['single-step-stronger', fgsm({ eps }), apgd({ eps })],
    ['stronger-attack-weaker', pgd({ eps }), apgd({ eps })],
  ] as [string, Attack, Attack][])('finds %s beyond one point, and names the examples', (id, weaker, stronger) => {
    expect(judge([weaker, 500], [stronger, 490])).toEqual([]);
    expect(judge([stronger, 490], [weaker, 500])).toEqual([]);
    const findings = judge([weaker, 500], [stronger, 489]);
    expect(findings).toMatchObject([{ id, severity: 'invalid', message: expect.stringMatching(/leaves 51.1 % robust, the weaker .* 50.0 %/) }]);
    expect(findings[0]!.examples).toEqual(Array.from({ length: 11 }, (_, i) => 489 + i));
    expect(trustOf(findings)).toBe('invalid');
  });

  it.each([
    ['other balls', pgd({ eps }), apgd({ eps: 0.2 })],
    ['other norms', pgd({ eps, label: 'a' }), pgd({ eps: 0.2, norm: 'L2', label: 'b' })],
    ['other losses', pgd({ eps, loss: 'cw', label: 'a' }), pgd({ eps: 0.2, loss: 'ce', label: 'b' })],
    ['more steps, fewer restarts', pgd({ eps, steps: 10, restarts: 2, label: 'a' }), pgd({ eps, steps: 20, label: 'b' })],
  ] as [string, Attack, Attack][])('compares no attacks with %s', (_, one, other) => {
    expect(judge([one, 500], [other, 100])).toEqual([]);
    expect(judge([one, 100], [other, 500])).toEqual([]);
  });

  it('doubts from the first example that only a blind attack fools, and trusts nothing beyond one point', () => {
    const attacks = (seeing: number, blind: number) => judge([pgd({ eps }), seeing], [square({ eps }), blind]);
    expect(attacks(500, 500)).toEqual([]);
    expect(attacks(500, 501)).toMatchObject([{ id: 'black-box-stronger', severity: 'suspect', examples: [500] }]);
    expect(attacks(500, 510)).toMatchObject([{ severity: 'suspect' }]);
    expect(attacks(500, 511)).toMatchObject([{ severity: 'invalid' }]);
    expect(judge([pgd({ eps }), 500], [square({ eps: 0.2 }), 900])).toEqual([]);
    expect(judge([square({ eps }), 900])).toEqual([]);
  });
});
