import '../gradients.js';
import { type Scalar, type Tensor, add, argMax, grads, mean, mul, neg, sign, softplus, sub, sum, tensor, tensor1d, tensor2d, tidy, variableGrads, zerosLike } from '@tensorflow/tfjs-core';
import { pgd } from '@moe/attacks';
import { type Attack, type ForwardOptions, type MoeModel, createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { sgd } from '../optimizers/sgd.js';
import { plainModel } from '../plain-model.js';
import { constant } from '../schedules/constant.js';
import { objectiveContext as context } from '../testing/context.js';
import { tinyBatches } from '../testing/data.js';
import { linearModel, mlp, moeMlp } from '../testing/models.js';
import { tinyRun } from '../testing/tiny-run.js';
import type { TrainOptions } from '../train-options.js';
import type { AttackBatchNorm } from './attacked-inputs.js';
import { crossEntropy } from './classification-loss.js';
import { pgdAdversarial } from './pgd-adversarial.js';
import { standard } from './standard.js';

/** An attack that only watches, and returns the inputs. */
const watching = (watch: (...args: Parameters<Attack['perturb']>) => void): Attack => ({
  name: 'watching',
  options: {},
  access: 'gradient',
  perturb: (model, inputs, labels, rest) => {
    watch(model, inputs, labels, rest);
    return { adversarial: inputs, success: zerosLike(labels), loss: tensor1d([0]) };
  },
});

describe('crossEntropy', () => {
  it('is the hand-worked value, and stays finite for huge logits', () => {
    // ln(1 + e^-1) for the first row, ln(1 + e) for the second
    expect(crossEntropy(tensor2d([[2, 1], [2, 1]]), tensor1d([0, 1], 'int32'))).toBeAllClose((Math.log1p(Math.exp(-1)) + Math.log1p(Math.E)) / 2);
    expect(crossEntropy(tensor2d([[1e4, -1e4]]), tensor1d([1], 'int32'))).toBeAllClose(2e4);
  });

  it('has the gradient (softmax − one-hot) / B, as central differences say', () => {
    expectGradient((x) => crossEntropy(x as never, tensor1d([2, 0], 'int32')), tensor2d([[0.5, -1, 0.2], [0, 0.1, 2]]));
  });

  it('with smoothing is the hand-worked value, and has the gradient that central differences confirm', () => {
    // t = (.9 + .1/2, .1/2) for label 0, log softmax = (−ln 4/3, −ln 4)
    expect(crossEntropy(tensor2d([[Math.log(3), 0]]), tensor1d([0], 'int32'), { labelSmoothing: 0.1 })).toBeAllClose(0.95 * Math.log(4 / 3) + 0.05 * Math.log(4));
    // Every share alike, whatever the label.
    expect(crossEntropy(tensor2d([[Math.log(3), 0]]), tensor1d([0], 'int32'), { labelSmoothing: 1 })).toBeAllClose((Math.log(4 / 3) + Math.log(4)) / 2);
    expectGradient((x) => crossEntropy(x as never, tensor1d([2, 0], 'int32'), { labelSmoothing: 0.3 }), tensor2d([[0.5, -1, 0.2], [0, 0.1, 2]]));
    expect(() => crossEntropy(tensor2d([[1, 2]]), tensor1d([0], 'int32'), { labelSmoothing: 2 })).toThrow('crossEntropy: labelSmoothing must be a finite number in [0, 1], got 2.');
  });

  it('refuses shapes that disagree', () => {
    expect(() => crossEntropy(tensor2d([[1, 2]]), tensor1d([0, 1], 'int32'))).toThrow('crossEntropy: labels must have shape [B] with B = 1, got [2].');
  });
});

describe('pgdAdversarial', () => {
  it('has, on a linear model, the gradient of E log(1 + exp(−y(w·x + b) + ε‖w‖₁))', () => {
    const eps = 0.1;
    const [w, b] = [[1.5, -0.7, 0.3, -2], 0.2];
    const target = linearModel(w, b);
    const x = tensor(createRng(4).uniform(24, 0.2, 0.8), [6, 4]);
    const labels = tensor1d([0, 1, 1, 0, 1, 0], 'int32');
    const y = sub(mul(labels, 2), 1);
    // One step of length eps is the whole way to the worst corner; the start does not matter, as the gradient's sign is the same everywhere.
    const objective = pgdAdversarial({ attack: pgd({ eps, steps: 3, stepSize: eps, start: 'none', goal: 'maxLoss' }), batchNorm: 'running' });
    const batch = { inputs: x, labels, ids: Int32Array.of(0, 1, 2, 3, 4, 5) };
    const adversarial = objective.perturb!(target.model, batch, context());
    const actual = variableGrads(() => objective.loss(target.model, adversarial, batch, context()).total, target.weights.map(({ variable }) => variable));

    const robustLoss = (weight: Tensor, bias: Tensor) => {
      const score = add(sum(mul(x, weight), 1), bias);
      const margin = sub(mul(y, score), mul(eps, sum(mul(weight, sign(weight)))));
      return mean(softplus(neg(margin))) as Scalar;
    };
    const [dw, db] = grads(robustLoss)([tensor(w), tensor([b])]);
    expect(actual.value).toBeAllClose(robustLoss(tensor(w), tensor([b])), { rtol: 1e-4 });
    expect(actual.grads[target.weights[0]!.variable.name]!).toBeAllClose(dw!, { rtol: 1e-3, atol: 1e-5 });
    expect(actual.grads[target.weights[1]!.variable.name]!).toBeAllClose(db!, { rtol: 1e-3, atol: 1e-5 });
    target.dispose();
  });

  it('weighs the balance losses of the attacked batch', async () => {
    const attack = pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' });
    const termsWith = async (auxWeight: number) => {
      const target = moeMlp(1);
      const { history } = await tinyRun(target, { objective: pgdAdversarial({ attack, batchNorm: 'running', auxWeight }), epochs: 1, batchesPerEpoch: 1 });
      target.dispose();
      return history.epochs[0]!;
    };
    const [once, thrice, never] = [await termsWith(1), await termsWith(3), await termsWith(0)];
    expect(once.terms.aux).toBeGreaterThan(0);
    expect(thrice.terms.aux).toBeAllClose(3 * once.terms.aux!);
    expect(thrice.loss).toBeAllClose(once.loss + 2 * once.terms.aux!);
    expect(never.terms.aux).toBe(0);
    expect(never.routing[0]!.auxLoss).toBe(once.routing[0]!.auxLoss);
  });

  it('is, at eps 0, standard training bit for bit', async () => {
    const [a, b] = [moeMlp(1), moeMlp(1)];
    const attack = pgd({ eps: 0, steps: 2, stepSize: 0.1, goal: 'maxLoss' });
    const first = await tinyRun(a, { objective: pgdAdversarial({ attack, batchNorm: 'batch' }) });
    const second = await tinyRun(b, { objective: standard() });
    expect(a.values()).toEqual(b.values());
    expect(first).toEqual(second);
    a.dispose();
    b.dispose();
  });

  it.each<[AttackBatchNorm, ForwardOptions]>([
    ['running', { training: false }],
    ['batch', { training: true, updateStatistics: false }],
    ['batch-updating', { training: true, updateStatistics: true }],
  ])('shows the attack the model with %s statistics', async (batchNorm, expected) => {
    const target = moeMlp(2);
    const calls: ForwardOptions[] = [];
    const spy: MoeModel = { ...target.model, forward: (inputs, options = {}) => (calls.push(options), target.model.forward(inputs, options)) };
    const before = target.values()['bn/mean'];
    const attack = watching((model, inputs) => {
      model(inputs).dispose();
      model(inputs).dispose();
      expect(target.values()['bn/mean']!.every((value, i) => value === before![i])).toBe(batchNorm !== 'batch-updating');
    });
    await tinyRun(target, { model: spy, objective: pgdAdversarial({ attack, batchNorm }), batchesPerEpoch: 1, epochs: 1 });
    const [first, second, last] = calls;
    expect(calls).toHaveLength(3);
    expect(first).toMatchObject(expected);
    expect(last).toMatchObject({ training: true });
    expect(last!.updateStatistics).toBeUndefined();
    // Fresh noise at each pass.
    const draw = (options: ForwardOptions | undefined): number | undefined => options?.rng?.uniform(1)[0];
    if (batchNorm === 'running') expect(first!.rng).toBeUndefined();
    else expect(new Set([draw(first), draw(second), draw(last)]).size).toBe(3);
    target.dispose();
  });

  it('gives each example the same draws however examples are batched, and others in the next epoch', async () => {
    const drawsOf = async (batchSize: number): Promise<Map<number, number>[]> => {
      const target = linearModel([0, 0, 0, 0], 0);
      const draws = [new Map<number, number>(), new Map<number, number>()];
      let seen = 0;
      const attack = watching((_model, _inputs, _labels, { rng, exampleIds }) => {
        for (const id of Array.from(exampleIds!)) draws[Math.floor(seen++ / 12)]!.set(id, rng.at(id).uniform(1)[0]!);
      });
      await tinyRun(target, { data: tinyBatches(12, batchSize), batchesPerEpoch: 12 / batchSize, objective: pgdAdversarial({ attack, batchNorm: 'running' }) });
      target.dispose();
      return draws;
    };
    const [one, four] = [await drawsOf(1), await drawsOf(4)];
    for (const epoch of [0, 1]) for (let id = 0; id < 12; id++) expect(one[epoch]!.get(id)).toBe(four[epoch]!.get(id));
    expect(one[0]!.get(3)).not.toBe(one[1]!.get(3));
  });

  it('trains on the adversarial batch alone', async () => {
    const target = linearModel([1, 0, 0, 0], 0);
    const seen: number[][] = [];
    const spy: MoeModel = { ...target.model, forward: (inputs, options) => (seen.push(Array.from(inputs.dataSync())), target.model.forward(inputs, options)) };
    const shifting: Attack = { ...watching(() => {}), perturb: (_model, inputs, labels) => ({ adversarial: add(inputs, 1), success: zerosLike(labels), loss: tensor1d([0]) }) };
    const data = tinyBatches(4, 4);
    await tinyRun(target, { model: spy, data, batchesPerEpoch: 1, epochs: 1, objective: pgdAdversarial({ attack: shifting, batchNorm: 'running' }) });
    const { value } = await data(0).next();
    expect(seen).toHaveLength(1);
    expect(seen[0]!).toBeAllClose(Array.from((value as { inputs: Float32Array }).inputs, (pixel) => pixel + 1));
    target.dispose();
  });

  it('gives the attack one function for a model at all steps, so that what it compiled is used again', async () => {
    const target = linearModel([0, 0, 0, 0], 0);
    const seen = new Set<unknown>();
    const attack = watching((model) => void seen.add(model));
    await tinyRun(target, { data: tinyBatches(12, 4), batchesPerEpoch: 3, epochs: 1, objective: pgdAdversarial({ attack, batchNorm: 'running' }) });
    expect(seen.size).toBe(1);
    target.dispose();
  });

  it('keeps no tensor, also when the attack fails after it called the model', async () => {
    const broken = watching((model, inputs) => {
      model(inputs);
      throw new Error('attack broke');
    });
    await expectTensorsKept(0, async () => {
      const target = moeMlp(3);
      await expect(tinyRun(target, { objective: pgdAdversarial({ attack: broken, batchNorm: 'batch' }) })).rejects.toThrow('attack broke');
      await tinyRun(target, { objective: pgdAdversarial({ attack: pgd({ eps: 0.1, steps: 2, goal: 'maxLoss' }), batchNorm: 'batch' }) });
      target.dispose();
    });
  });

  it('refuses a missing mode, and an attack that spares what is already wrong', () => {
    const attack = pgd({ eps: 0.1, goal: 'maxLoss' });
    expect(() => pgdAdversarial({ attack } as never)).toThrow("pgdAdversarial: batchNorm must be one of 'running', 'batch', 'batch-updating', got undefined.");
    expect(() => pgdAdversarial({ attack: {}, batchNorm: 'batch' } as never)).toThrow('attack must be an Attack');
    expect(() => pgdAdversarial({ attack: pgd({ eps: 0.1 }), batchNorm: 'batch' })).toThrow("attack.options.goal must not be 'misclassify'");
  });
});

describe('adversarial training', () => {
  it('learns a rule that holds under attack, where standard training learns one that does not', async () => {
    // Feature 0 tells the class by ±.2; features 1 … 15 by ±.05 only, within reach of eps = .1.
    const size = 128;
    const rng = createRng(8);
    const labels = rng.stream('labels').integers(size, 2);
    const inputs = rng.stream('inputs').uniform(size * 16, -0.02, 0.02);
    labels.forEach((label, row) => {
      for (let j = 0; j < 16; j++) inputs[row * 16 + j]! += 0.5 + (label === 1 ? 1 : -1) * (j === 0 ? 0.2 : 0.05);
    });
    const data = async function* batches(epoch: number) {
      const order = rng.stream('order').at(epoch).permutation(size);
      for (let from = 0; from < size; from += 32) {
        const ids = order.slice(from, from + 32);
        const rows = new Float32Array(32 * 16);
        ids.forEach((id, row) => rows.set(inputs.subarray(id * 16, (id + 1) * 16), row * 16));
        yield { inputs: rows, labels: Int32Array.from(ids, (id) => labels[id]!), ids, shape: [32, 1, 1, 16] as const };
      }
    };
    const attack = pgd({ eps: 0.1, steps: 5, goal: 'maxLoss' });
    const accuracies = async (objective: TrainOptions['objective']) => {
      const target = mlp(3, 16, 16, 2);
      await tinyRun(target, { data, batchesPerEpoch: 4, epochs: 25, objective, optimizer: sgd({ momentum: 0.9 }), schedule: constant({ base: 0.2 }) });
      const result = tidy(() => {
        const x = tensor(inputs, [size, 1, 1, 16]);
        const y = tensor1d(labels, 'int32');
        const score = (at: Tensor): number => {
          const predicted = argMax(target.model.forward(at).logits, 1).dataSync();
          return labels.filter((label, row) => label === predicted[row]).length / size;
        };
        const { adversarial } = attack.perturb((at) => target.model.forward(at).logits, x, y, { rng: createRng(9) });
        return { clean: score(x), robust: score(adversarial) };
      });
      target.dispose();
      return result;
    };
    const usual = await accuracies(standard());
    const robust = await accuracies(pgdAdversarial({ attack, batchNorm: 'running' }));
    expect(usual.clean).toBeGreaterThan(0.98);
    expect(usual.robust).toBeLessThan(0.5);
    expect(robust.clean).toBeGreaterThan(0.98);
    expect(robust.robust).toBeGreaterThan(0.95);
  });
});

describe('plainModel', () => {
  it('passes the options on, and has no balance loss and no layers', () => {
    let seen: ForwardOptions | undefined;
    const model = plainModel((inputs, options) => {
      seen = options;
      return mul(inputs, 2) as never;
    });
    const { logits, routing, auxLoss } = expectTensorsKept(3, () => model.forward(tensor2d([[1, 2]]), { training: true }));
    expect(seen).toEqual({ training: true });
    expect(logits).toBeAllClose([2, 4]);
    expect(routing).toEqual([]);
    expect(auxLoss).toBeAllClose(0);
    expect(() => plainModel(3 as never)).toThrow('plainModel: logits must be a function, got 3.');
  });
});
