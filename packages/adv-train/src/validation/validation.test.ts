import { fgsm, pgd } from '@moe/attacks';
import type { Attack } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { decodeTensors, encodeTensors } from '../checkpoint/tensor-file.js';
import { loadWeights } from '../checkpoint/weights.js';
import type { TrainEvent } from '../events.js';
import { sgd } from '../optimizers/sgd.js';
import { constant } from '../schedules/constant.js';
import { tinyBatches, tinyDataset } from '../testing/data.js';
import { type TestModel, linearModel, moeMlp } from '../testing/models.js';
import { memoryStore } from '../testing/store.js';
import { tinyRun } from '../testing/tiny-run.js';
import type { TrainOptions } from '../train-options.js';
import type { ValidationOptions } from './validation.js';

const EPS = 0.05;
const attack = pgd({ eps: EPS, steps: 3 });
const data = await tinyDataset(12);
const attacked = { name: 'attacked', data, attacks: [attack] };

/** Trains a model that starts right, on labels that are all wrong; gives what came of it, and the weights after each epoch. */
async function unlearn(validation: ValidationOptions, changes: Partial<TrainOptions> = {}) {
  const target = linearModel([2, -2, 0, 0], 0);
  const after: Record<string, number[]>[] = [];
  const events: TrainEvent[] = [];
  const onEvent = (event: TrainEvent): void => {
    events.push(event);
    if (event.type === 'epoch') after.push(target.values());
  };
  const wrong = async function* batches(epoch: number) {
    for await (const batch of tinyBatches(12, 12)(epoch)) yield { ...batch, labels: batch.labels.map((label) => 1 - label) };
  };
  const run = { data: wrong, batchesPerEpoch: 1, epochs: 8, optimizer: sgd(), schedule: constant({ base: 8 }), validation, onEvent, ...changes };
  const { history, best } = await expectTensorsKept(0, () => tinyRun(target, run));
  target.dispose();
  return { epochs: history.epochs, best, after, events };
}

/** Accuracy of a linear model under its worst case within the ball and [0, 1]. */
async function worstCase({ w, b }: Record<string, number[]>, eps: number): Promise<number> {
  const { inputs, labels } = await data.read(Array.from({ length: 12 }, (_, i) => i));
  const right = Array.from(labels).filter((label, row) => {
    const sign = label === 1 ? 1 : -1;
    const margin = w!.reduce((total, weight, i) => total + weight * Math.min(1, Math.max(0, inputs[row * 4 + i]! - eps * Math.sign(sign * weight))), b![0]!);
    return sign * margin > 0;
  });
  return right.length / 12;
}

/** The values that a file holds, in a model like another. */
function valuesIn(bytes: Uint8Array | undefined, make: () => TestModel): Record<string, number[]> {
  const model = make();
  loadWeights(model.weights, bytes!);
  const values = model.values();
  model.dispose();
  return values;
}

describe('validation', () => {
  it('finds clean accuracy, and the closed form of that under attack of a linear model, at every turn and after the last epoch', async () => {
    const { epochs, after, best } = await unlearn({ sets: [{ name: 'clean', data }, { ...attacked, batchSize: 5 }, { name: 'few', data, limit: 3 }], every: 3 });
    expect(epochs.map(({ validation }) => validation !== undefined)).toEqual([false, false, true, false, false, true, false, true]);
    for (const { epoch, validation } of epochs) {
      if (validation === undefined) continue;
      const [clean, robust] = [await worstCase(after[epoch]!, 0), await worstCase(after[epoch]!, EPS)];
      expect(validation.sets['clean']).toEqual({ examples: 12, clean, robust: clean, trust: 'ok' });
      expect(validation.sets['attacked']).toMatchObject({ examples: 12, clean, robust });
      expect(validation.sets['few']!.examples).toBe(3);
      expect(validation.score).toBeUndefined();
    }
    expect(best).toBeUndefined();
  });

  it('keeps the weights of the first best epoch, ends after its patience, and tells of both', async () => {
    const { epochs, best, after, events } = await unlearn({ sets: [attacked], select: 'attacked', patience: 3 });
    const scores = epochs.map(({ validation }) => validation!.score!);
    const first = scores.indexOf(Math.max(...scores));
    expect(epochs).toHaveLength(first + 4);
    expect(scores.at(-1)).toBeLessThan(scores[first]!);
    expect(best).toMatchObject({ epoch: first, score: scores[first] });
    expect(valuesIn(best!.weights, () => linearModel([0, 0, 0, 0], 0))).toEqual(after[first]);
    const told = events.flatMap((event) => (event.type === 'validation' ? [event] : []));
    expect(told.map(({ isBest }) => isBest).lastIndexOf(true)).toBe(first);
    expect(told.map(({ endsRun }) => endsRun)).toEqual(epochs.map((_, i) => i === epochs.length - 1));
  });

  it('scores a mixture of sets by their shares, under the worst of several attacks', async () => {
    const sets = [{ name: 'clean', data }, { ...attacked, attacks: [fgsm({ eps: EPS / 100 }), attack] }];
    for (const { validation } of (await unlearn({ sets, select: { clean: 1, attacked: 3 } })).epochs) {
      const { clean, attacked: worst } = validation!.sets;
      expect(validation!.score).toBeAllClose(0.25 * clean!.robust + 0.75 * worst!.robust);
    }
  });

  it("looks at moving averages and keeps them, changing no bit of the run", async () => {
    const validation = { sets: [attacked], select: 'attacked', weights: 'ema' } as const;
    const after = async (changes: Partial<TrainOptions>) => {
      const target = moeMlp(1);
      const result = await expectTensorsKept(0, () => tinyRun(target, { ema: { decay: 0.8 }, ...changes }));
      const values = target.values();
      target.dispose();
      return { ...result, values };
    };
    const [looked, blind] = [await after({ validation, epochs: 1 }), await after({ epochs: 1 })];
    expect(looked.values).toEqual(blind.values);
    expect(looked.averaged).toEqual(blind.averaged);
    expect(looked.best!.weights).toEqual(looked.averaged);
    expect(valuesIn(looked.best!.weights, () => moeMlp(2))).not.toEqual(looked.values);
  });
});

describe('validation, resumed', () => {
  const options = (changes: Partial<ValidationOptions> = {}): Partial<TrainOptions> => ({
    ema: { decay: 0.6 },
    epochs: 3,
    checkpointEvery: 2,
    validation: { sets: [attacked], select: 'attacked', weights: 'ema', patience: 2, ...changes },
  });
  const run = async (seed: number, changes: Partial<TrainOptions>) => {
    const target = moeMlp(seed);
    try {
      return { ...(await tinyRun(target, changes)), values: target.values() };
    } finally {
      target.dispose();
    }
  };

  it('goes on from every checkpoint with the same bits, its best weights included, also from that of a run that has ended', async () => {
    const checkpoint = memoryStore();
    const whole = await run(1, { ...options(), checkpoint });
    expect(whole.best).toBeDefined();
    for (const bytes of checkpoint.written) expect(await run(99, { ...options(), checkpoint: memoryStore(bytes) })).toEqual(whole);
  });

  it('looks again where it was stopped while it looked', async () => {
    const whole = await run(1, options());
    const controller = new AbortController();
    const checkpoint = memoryStore();
    let looks = 0;
    const stopping: Attack = {
      ...attack,
      perturb: (...args) => {
        if (++looks === 2) controller.abort();
        return attack.perturb(...args);
      },
    };
    const sets = [{ ...attacked, attacks: [stopping], batchSize: 4 }];
    await expect(run(1, { ...options({ sets }), checkpoint, signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await run(99, { ...options(), checkpoint })).toEqual(whole);
  });

  it('refuses the checkpoint of other sets, and one that lacks its best weights', async () => {
    const checkpoint = memoryStore();
    await run(1, { ...options(), epochs: 1, checkpoint });
    await expect(run(1, { ...options({ sets: [{ ...attacked, limit: 5 }] }), epochs: 1, checkpoint })).rejects.toThrow('validation.sets.0.limit is nothing in the checkpoint and 5 now');
    const { tensors, metadata } = decodeTensors(checkpoint.written.at(-1)!);
    const without = encodeTensors({ tensors: tensors.filter(({ name }) => name !== 'best/bn/mean'), metadata });
    await expect(run(1, { ...options(), epochs: 1, checkpoint: memoryStore(without) })).rejects.toThrow("'best/bn/mean' must have 8 float32 values");
  });
});

describe('validation, bad options', async () => {
  const test = await tinyDataset(12, 'test[0]');
  it.each<[string, ValidationOptions, string]>([
    ['no sets', { sets: [] }, 'validation.sets must hold at least one set'],
    ['sets of one name', { sets: [attacked, attacked] }, 'validation.sets must have different names'],
    ['a part of the test set', { sets: [{ name: 'a', data: test }] }, "validation.sets[0].data.split must not be the test set, got 'test[0]'. Hold out a part of the training set"],
    ['a set that is not there', { sets: [attacked], select: 'clean' }, "validation.select must name sets (attacked), got 'clean'"],
    ['shares that are none', { sets: [attacked], select: { attacked: 0 } }, 'validation.select.attacked must'],
    ['patience without a score', { sets: [attacked], patience: 2 }, 'validation.patience must come with select, got 2. Name the set whose accuracy counts.'],
    ['averages that there are not', { sets: [attacked], weights: 'ema' }, "validation.weights must be 'current' without the option ema"],
    ['an option of another name', { sets: [attacked], metric: 1 } as never, "unknown option 'metric'"],
  ])('refuses %s', async (_, validation, message) => {
    await expect(unlearn(validation)).rejects.toThrow(message);
  });
});
