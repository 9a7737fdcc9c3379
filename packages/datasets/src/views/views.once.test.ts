import { type Batch, type Dataset, createRng } from '@moe/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrayDataset } from '../array-dataset.js';
import type { Augment } from '../augment/augment.js';
import { describeDataset } from '../testing/describe-dataset.js';
import { batches } from './batches.js';
import { split } from './split.js';
import { subset, take } from './subset.js';

/** Example i is the one value i / N, so that a batch tells which examples it holds. */
function numbered(labels: readonly number[]): ReturnType<typeof arrayDataset> {
  const images = Float32Array.from(labels, (_, i) => i / labels.length);
  return arrayDataset({ name: 'numbered', split: 'train', images, labels, inputShape: [1, 1, 1], classNames: ['a', 'b', 'c'] });
}
const origin = (batch: Batch, total: number): number[] => Array.from(batch.inputs, (value) => Math.round(value * total));
const all = async (dataset: Dataset): Promise<number[]> => origin(await dataset.read(Array.from({ length: dataset.length }, (_, i) => i)), 30);
const thirty = numbered(Array.from({ length: 30 }, (_, i) => (i < 20 ? 0 : i < 28 ? 1 : 2)));
const { labels: _labels, ...unlabelled } = thirty;

describeDataset('subset', () => subset(thirty, [3, 3, 29, 0]));
describeDataset('take', () => take(thirty, 7));
describeDataset('part of split', async () => (await split(thirty, [0.5, 0.5], createRng(1)))[1]);

describe('subset', () => {
  it('numbers its examples anew, and knows their labels where the parent does', async () => {
    const view = subset(thirty, [29, 5]);
    expect(await all(view)).toEqual([29, 5]);
    expect(Array.from((await view.read([1, 0])).ids)).toEqual([1, 0]);
    expect(Array.from(view.labels)).toEqual([2, 0]);
    expect('labels' in subset(unlabelled, [0])).toBe(false);
  });

  it('nests', async () => {
    expect(await all(take(subset(thirty, [9, 8, 7]), 2))).toEqual([9, 8]);
  });

  it('refuses what the parent does not hold', () => {
    expect(() => subset(thirty, [30])).toThrow("subset: index must be an integer in [0, 30), the examples of 'numbered', got 30.");
    expect(() => take(thirty, 31)).toThrow('take: length must be an integer in [0, 30], got 31.');
  });
});

describe('split', () => {
  it('makes disjoint parts of the rounded sizes, the same for the same seed', async () => {
    const make = (seed: number): Promise<number[][]> => split(thirty, [0.5, 0.25, 0.2], createRng(seed)).then((parts) => Promise.all(parts.map(all)));
    const parts = await make(1);
    expect(parts.map((part) => part.length)).toEqual([15, 8, 6]);
    expect(new Set(parts.flat()).size).toBe(29);
    expect(await make(1)).toEqual(parts);
    expect(await make(2)).not.toEqual(parts);
  });

  it('keeps the class shares in every part, within rounding', async () => {
    const labels = fc.array(fc.nat(2), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(labels, fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.nat(), async (values, fraction, seed) => {
        const parts = await split(numbered(values), [fraction, 1 - fraction], createRng(seed));
        expect(parts[0].length + parts[1].length).toBe(values.length);
        const count = (list: Iterable<number>, label: number): number => Array.from(list).filter((value) => value === label).length;
        const first = parts[0].length === 0 ? [] : (await parts[0].read(Array.from({ length: parts[0].length }, (_, i) => i))).labels;
        for (const label of [0, 1, 2]) {
          const share = (count(values, label) * parts[0].length) / values.length;
          // A cut at t takes t·n ± ½ of a class of n; all classes together make t·N ± 3/2, so t itself is m/N within 3/(2N).
          expect(Math.abs(count(first, label) - share)).toBeLessThanOrEqual(0.5 + (1.5 * count(values, label)) / values.length + 1e-9);
        }
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('reads the labels of a data set that does not tell them', async () => {
    const [told] = await split(thirty, [0.4], createRng(3));
    const [found] = await split(unlabelled, [0.4], createRng(3));
    expect(await all(found)).toEqual(await all(told));
  });

  it('shuffles plainly on request', async () => {
    const [part] = await split(thirty, [1], createRng(1), { stratified: false });
    expect(await all(part)).toEqual(Array.from(createRng(1).stream('split').permutation(30)));
  });

  it('names its parts', async () => {
    expect((await split(thirty, [0.5, 0.5], createRng(1))).map((part) => part.split)).toEqual(['train[0]', 'train[1]']);
  });

  it.each([[[]], [[0.5, 0.6]], [[0, 1]], [[-0.1]], [[NaN]]])('refuses the fractions %j', async (fractions) => {
    await expect(split(thirty, fractions, createRng(1))).rejects.toMatchObject({ code: 'ARGUMENT' });
  });
});

describe('batches', () => {
  const collect = async (options: Parameters<typeof batches>[1]): Promise<Batch[]> => {
    const list: Batch[] = [];
    for await (const batch of batches(thirty, options)) list.push(batch);
    return list;
  };
  const order = (list: readonly Batch[]): number[] => list.flatMap((batch) => Array.from(batch.ids));

  it('covers the data set in order without rng, with or without the smaller last batch', async () => {
    const list = await collect({ batchSize: 8 });
    expect(list.map((batch) => batch.shape[0])).toEqual([8, 8, 8, 6]);
    expect(order(list)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect((await collect({ batchSize: 8, dropLast: true })).map((batch) => batch.shape[0])).toEqual([8, 8, 8]);
    expect((await collect({ batchSize: 30, dropLast: true })).length).toBe(1);
    expect((await collect({ batchSize: 31, dropLast: true })).length).toBe(0);
  });

  it('has an order that depends on seed and epoch only', async () => {
    const busy = createRng(5);
    busy.uniform(10);
    const first = order(await collect({ batchSize: 8, rng: createRng(5), epoch: 1 }));
    expect(order(await collect({ batchSize: 3, rng: busy, epoch: 1 }))).toEqual(first);
    expect(order(await collect({ batchSize: 8, rng: createRng(5), epoch: 2 }))).not.toEqual(first);
    expect(order(await collect({ batchSize: 8, rng: createRng(6), epoch: 1 }))).not.toEqual(first);
    expect(first.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it('applies augmentations in order, each with draws of its own', async () => {
    const add = (scale: number): Augment => (batch, rngOf) => ({ ...batch, inputs: batch.inputs.map((value, row) => scale * value + rngOf(batch.ids[row]!).uniform(1)[0]!) });
    const [batch] = await collect({ batchSize: 30, rng: createRng(2), augment: [add(2), add(10)] });
    const id = batch!.ids[4]!;
    const draw = (index: number): number => createRng(2).stream('batches/augment').at(0).at(index, id).uniform(1)[0]!;
    expect(batch!.inputs[4]).toBeCloseTo(10 * (2 * (id / 30) + draw(0)) + draw(1), 4);
    expect(draw(0)).not.toBe(draw(1));
  });

  it('refuses bad options before anything is read', () => {
    expect(() => batches(thirty, { batchSize: 0 })).toThrow('batchSize must be an integer ≥ 1');
    expect(() => batches(thirty, { batchSize: 2, epoch: 0.5 })).toThrow('epoch');
    expect(() => batches(thirty, { batchSize: 2, augment: [(batch) => batch] })).toThrow('rng must be given when augment is');
    expect(() => batches(thirty, { batchSize: 2, shuffle: true } as never)).toThrow("unknown option 'shuffle'");
  });
});
