import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import type { TrainEvent } from './events.js';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { constant } from './schedules/constant.js';
import { oneBatch, tinyBatches } from './testing/data.js';
import { linearModel, mlp, moeMlp } from './testing/models.js';
import { memoryStore } from './testing/store.js';
import { tinyRun } from './testing/tiny-run.js';
import type { TrainOptions } from './train-options.js';

/** Trains the logistic loss of label 0 at x = (1, 2) for one step with rate 0.1 from w = (1, −1), b = 0.5, and gives the new values. */
async function oneStep(changes: Partial<TrainOptions>): Promise<{ w: number[]; b: number[]; norm: number }> {
  const target = linearModel([1, -1], 0.5);
  const { history } = await tinyRun(target, { data: oneBatch([1, 2], [0]), batchesPerEpoch: 1, epochs: 1, optimizer: sgd(), schedule: constant({ base: 0.1 }), ...changes });
  const { w, b } = target.values();
  target.dispose();
  return { w: w!, b: b!, norm: history.epochs[0]!.gradientNorm.max };
}

const D = 1 / (1 + Math.exp(0.5)); // dCE/df at f = −.5; the gradient is D·(1, 2, 1), its norm D·√6

describe('groups', () => {
  it('gives weights an optimizer and a factor of the learning rate, the first group that matches first', async () => {
    const groups = [{ match: (name: string) => name === 'b', learningRate: 3 }, { match: () => true, optimizer: sgd({ weightDecay: 1 }) }];
    const { w, b } = await oneStep({ groups });
    expect(w).toBeAllClose([1 - 0.1 * (D + 1), -1 - 0.1 * (2 * D - 1)]);
    expect(b).toBeAllClose([0.5 - 0.3 * D]);
  });

  it('refuses a group of no weights, and a checkpoint of other groups', async () => {
    await expect(oneStep({ groups: [{ match: () => false }] })).rejects.toThrow("train: groups[0].match must hold for a trainable weight, got 'none'.");
    const checkpoint = memoryStore();
    await oneStep({ checkpoint, groups: [{ match: (name) => name === 'b', learningRate: 2 }] });
    await expect(oneStep({ checkpoint, groups: [{ match: (name) => name === 'w', learningRate: 2 }] })).rejects.toThrow('groups.0.weights.0 is "b" in the checkpoint and "w" now');
  });
});

describe('clipNorm', () => {
  it('shortens the gradient of all weights together to the norm, and reports what it was', async () => {
    const { w, b, norm } = await oneStep({ clipNorm: 0.5 });
    expect(w).toBeAllClose([1 - 0.05 / Math.sqrt(6), -1 - 0.1 / Math.sqrt(6)]);
    expect(b).toBeAllClose([0.5 - 0.05 / Math.sqrt(6)]);
    expect(norm).toBeAllClose(D * Math.sqrt(6));
  });

  it('changes no bit of a shorter gradient', async () => expect(await oneStep({ clipNorm: 1 })).toEqual(await oneStep({})));
  it('refuses 0', () => expect(oneStep({ clipNorm: 0 })).rejects.toThrow('train: clipNorm must be a finite number > 0, got 0.'));
});

describe('accumulate', () => {
  const after = async (changes: Partial<TrainOptions>): Promise<Record<string, number[]>> => {
    const target = mlp(1, 4, 8, 2);
    await tinyRun(target, { optimizer: adam(), ...changes });
    const values = target.values();
    target.dispose();
    return values;
  };

  it('takes the step of the joined batch, where batches differ in size and the last update has fewer', async () => {
    // 12 rows in batches of 5, 5 and 2, in pairs: 10 rows and 2.
    const joined = await after({ data: tinyBatches(12, 10), batchesPerEpoch: 2 });
    const events: (number | undefined)[] = [];
    const onEvent = (event: TrainEvent): void => void (event.type === 'step' && events.push(event.gradientNorm));
    const summed = await after({ data: tinyBatches(12, 5), batchesPerEpoch: 3, accumulate: 2, onEvent });
    for (const [name, values] of Object.entries(joined)) expect(summed[name]!).toBeAllClose(values, { rtol: 1e-4, atol: 1e-5 });
    expect(events.map((norm) => norm !== undefined)).toEqual([false, true, true, false, true, true]);
  });

  it('goes on amid a group with the same bits, also where experts are unused, and keeps no tensor', async () => {
    const run = async (seed: number, checkpoint = memoryStore()): Promise<[Record<string, number[]>, Uint8Array[]]> => {
      const target = moeMlp(seed);
      await expectTensorsKept(0, () => tinyRun(target, { data: tinyBatches(5, 1), batchesPerEpoch: 5, accumulate: 3, clipNorm: 0.5, checkpoint, checkpointEvery: 1 }));
      const values = target.values();
      target.dispose();
      return [values, checkpoint.written];
    };
    const [whole, written] = await run(1);
    for (const bytes of written) expect((await run(99, memoryStore(bytes)))[0]).toEqual(whole);
  });
});
