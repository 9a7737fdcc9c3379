import { type Scalar, type Tensor, add, mul, onesLike, reshape, sign, sub, sum, tensor, tidy } from '@tensorflow/tfjs-core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { Objective, ObjectiveStep, SteppedObjective } from './objectives/objective.js';
import { standard } from './objectives/standard.js';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { constant } from './schedules/constant.js';
import { oneBatch } from './testing/data.js';
import { type TestModel, linearModel, moeMlp } from './testing/models.js';
import { memoryStore } from './testing/store.js';
import { tinyRun } from './testing/tiny-run.js';
import type { TrainOptions } from './train-options.js';

const { loss } = standard();
const stepped = (...steps: ObjectiveStep[]): SteppedObjective => ({ name: 'stepped', options: {}, steps });
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Trains the logistic loss of label 0 at x = (1, 2) with rate 0.1. */
const run = (target: TestModel, objective: Objective, changes: Partial<TrainOptions> = {}) =>
  tinyRun(target, { data: oneBatch([1, 2], [0]), batchesPerEpoch: 1, epochs: 1, optimizer: sgd(), schedule: constant({ base: 0.1 }), objective, ...changes });

describe('train with an objective of several steps', () => {
  it('moves in each step the weights that are its own, from where the step before left the others', async () => {
    const target = linearModel([1, -1], 0.5);
    const { history } = await run(target, stepped({ loss, moves: (name) => name === 'w' }, { loss, moves: (name) => name === 'b' }));
    // f = 1 − 2 + .5 = −.5, w ← w − .1·σ(f)·x; then f' = w'·x + .5 with the new w, b ← .5 − .1·σ(f')
    const d = 0.1 * sigmoid(-0.5);
    const f = 1 - d + 2 * (-1 - 2 * d) + 0.5;
    expect(target.values().w).toBeAllClose([1 - d, -1 - 2 * d]);
    expect(target.values().b).toBeAllClose([0.5 - 0.1 * sigmoid(f)]);
    expect(history.epochs[0]!.loss).toBeAllClose((Math.log(1 + Math.exp(-0.5)) + Math.log(1 + Math.exp(f))) / 2);
    target.dispose();
  });

  it('records of each term the mean over the steps that have it, and of the gradient the norm of each update', async () => {
    const target = linearModel([0, 0], 0);
    const renamed: ObjectiveStep = {
      loss: (...args) => {
        const { terms: _, ...rest } = loss(...args);
        return { ...rest, terms: { other: mul(rest.total, 4) } };
      },
      moves: (name) => name === 'b',
    };
    const { history } = await run(target, stepped({ loss, moves: (name) => name === 'w' }, renamed), { schedule: constant({ base: 0 }) });
    expect(history.epochs[0]!.terms.ce).toBeAllClose(Math.LN2);
    expect(history.epochs[0]!.terms.other).toBeAllClose(4 * Math.LN2);
    // σ(0)·|x| and σ(0)
    expect(history.epochs[0]!.gradientNorm.max).toBeAllClose(0.5 * Math.sqrt(5));
    expect(history.epochs[0]!.gradientNorm.mean).toBeAllClose((0.5 * Math.sqrt(5) + 0.5) / 2);
    target.dispose();
  });

  it('draws otherwise in each step', async () => {
    const target = moeMlp(1);
    const draws: number[] = [];
    const watching: ObjectiveStep = {
      loss: (model, inputs, batch, context) => {
        draws.push(context.batchRng.stream('probe').uniform(1)[0]!, context.exampleRng.stream('probe').uniform(1)[0]!);
        return loss(model, inputs, batch, context);
      },
    };
    await tinyRun(target, { objective: stepped(watching, watching), epochs: 1, batchesPerEpoch: 2 });
    // Batch keys differ in all four steps, example keys are one per epoch and step of the objective.
    expect(new Set(draws).size).toBe(4 + 2);
    target.dispose();
  });

  it('refuses no steps, and to accumulate over several', async () => {
    const target = linearModel([1, -1], 0.5);
    await expect(run(target, stepped())).rejects.toThrow('train: objective must be an Objective');
    await expect(run(target, stepped({ loss }, { loss }), { accumulate: 2 })).rejects.toThrow('train: accumulate must be 1 for an objective of 2 steps, got 2.');
    await expect(run(target, stepped({ loss, moves: () => false }))).rejects.toThrow('train: objective must have a loss that depends on a weight that it moves');
    target.dispose();
  });
});

describe('updates', () => {
  it('moves the weights several times by one gradient, with momentum and counts as if it had come again', async () => {
    const target = linearModel([1, -1], 0.5);
    await expectTensorsKept(0, () => run(target, stepped({ loss, updates: 2 }), { optimizer: sgd({ momentum: 0.5 }) }));
    // By .1·g, then by .1·(.5·g + g).
    const d = 0.25 * sigmoid(-0.5);
    expect(target.values().w).toBeAllClose([1 - d, -1 - 2 * d]);
    target.dispose();

    const [twice, again] = [linearModel([1, -1], 0.5), linearModel([1, -1], 0.5)];
    // Where the loss is linear, the gradient does come again.
    const linear: ObjectiveStep = {
      loss: (model, inputs) => {
        const { logits, routing } = model.forward(inputs);
        return { total: sum(logits) as Scalar, terms: {}, logits, routing };
      },
    };
    await run(twice, stepped({ ...linear, updates: 2 }), { optimizer: adam(), epochs: 2 });
    await run(again, stepped(linear, linear), { optimizer: adam(), epochs: 2 });
    expect(twice.values()).toEqual(again.values());
    [twice, again].forEach((model) => model.dispose());
  });

  it('refuses none', () => {
    const target = linearModel([1, -1], 0.5);
    return expect(run(target, stepped({ loss, updates: 0 })).finally(() => target.dispose())).rejects.toThrow('train: objective must be an Objective');
  });
});

describe('displace', () => {
  const displaced = (changes: Partial<ObjectiveStep> = {}): ObjectiveStep => ({ loss, displace: (_model, _inputs, _batch, { weights }) => ({ b: add(weights[1]!.variable as Tensor, 1) }), ...changes });

  it('differentiates at the other values and moves the weights from their own', async () => {
    const target = linearModel([1, -1], 0.5);
    await expectTensorsKept(0, () => run(target, stepped(displaced())));
    // f = 1 − 2 + 1.5 = .5
    const d = 0.1 * sigmoid(0.5);
    expect(target.values().w).toBeAllClose([1 - d, -1 - 2 * d]);
    expect(target.values().b).toBeAllClose([0.5 - d]);
    target.dispose();
  });

  it('gives the weights their own values back bit for bit, whether the step moves them, does not, or fails', async () => {
    const target = linearModel([0.1, 0.2], 0.3);
    const before = target.values();
    await run(target, stepped(displaced()), { schedule: constant({ base: 0 }) });
    expect(target.values()).toEqual(before);
    const failing = displaced({
      loss: () => {
        expect(target.values().b).toBeAllClose([1.3]);
        throw new Error('loss broke');
      },
    });
    await expectTensorsKept(0, () => expect(run(target, stepped(failing))).rejects.toThrow('loss broke'));
    expect(target.values()).toEqual(before);
    await expect(run(target, stepped(displaced({ displace: () => ({ c: tensor([1]) }) })))).rejects.toThrow("train: displaced weight must be one that may be trained, got 'c'.");
    target.dispose();
  });
});

describe('carry', () => {
  /** Replays each batch twice with a perturbation that goes on from step to step: x + δ, then δ ← δ + .1·sign(g). */
  const replay: ObjectiveStep = {
    perturb: (_model, { inputs }, { carried }) => tidy(() => (carried === undefined ? inputs : add(inputs, carried))),
    loss,
    carry: (inputs, gradient, batch) => tidy(() => add(sub(inputs, batch.inputs), mul(sign(gradient), 0.1))),
  };

  it('hands on what is made of the gradient of the inputs, from step to step and from batch to batch', async () => {
    const target = linearModel([1, -1], 0);
    const seen: number[][] = [];
    const watching: ObjectiveStep = { ...replay, loss: (model, inputs, batch, context) => (seen.push(Array.from(inputs.dataSync())), loss(model, inputs, batch, context)) };
    await expectTensorsKept(0, () => run(target, stepped(watching, watching), { epochs: 2 }));
    // Label 0: the loss rises along w, whose signs stay (+, −).
    expect(seen.map((x) => x.map((value) => Math.round(value * 10) / 10))).toEqual([[1, 2], [1.1, 1.9], [1.2, 1.8], [1.3, 1.7]]);
    target.dispose();
  });

  it('goes on from a checkpoint with the same bits', async () => {
    const once = async (seed: number, checkpoint = memoryStore()): Promise<[Record<string, number[]>, Uint8Array[]]> => {
      const target = moeMlp(seed);
      await expectTensorsKept(0, () => tinyRun(target, { objective: stepped(replay, replay), checkpoint, checkpointEvery: 1 }));
      const values = target.values();
      target.dispose();
      return [values, checkpoint.written];
    };
    const [whole, written] = await once(1);
    for (const bytes of written) expect((await once(99, memoryStore(bytes)))[0]).toEqual(whole);
  });

  it('gets the gradient of the inputs also from a compiled pass', async () => {
    const [plain, compiled] = [linearModel([1, -1], 0), linearModel([1, -1], 0)];
    const objective = stepped({ ...replay, displace: (_model, _inputs, _batch, { weights }) => ({ w: tidy(() => reshape(onesLike(weights[0]!.variable as Tensor), [2, 1])) }) }, replay);
    await run(plain, objective, { epochs: 3 });
    await expectTensorsKept(0, () => run(compiled, objective, { epochs: 3, compile: (fn) => fn }));
    expect(compiled.values()).toEqual(plain.values());
    plain.dispose();
    compiled.dispose();
  });
});
