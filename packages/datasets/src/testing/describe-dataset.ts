import type { Batch, Dataset } from '@moe/core';
import { describe, expect, it } from 'vitest';

/**
 * What every {@link Dataset} must do.
 *
 * @param make - gives the data set under test; each test calls it.
 */
export function describeDataset(name: string, make: () => Dataset | Promise<Dataset>): void {
  describe(`${name} as a Dataset`, () => {
    it('describes itself', async () => {
      const { name: own, split, length, inputShape, classNames, bounds } = await make();
      expect(own).not.toBe('');
      expect(split).not.toBe('');
      expect(length).toBeGreaterThan(0);
      expect(inputShape).toHaveLength(3);
      expect(inputShape.every((size) => Number.isInteger(size) && size > 0)).toBe(true);
      expect(classNames.length).toBeGreaterThan(0);
      expect(classNames.every((label) => label !== '')).toBe(true);
      expect(new Set(classNames).size).toBe(classNames.length);
      expect(bounds[0]).toBeLessThan(bounds[1]);
    });

    it('reads what was asked for, in that order, also twice', async () => {
      const dataset = await make();
      const last = dataset.length - 1;
      const batch = await dataset.read([last, 0, last]);
      const [height, width, channels] = dataset.inputShape;
      expect(batch.shape).toEqual([3, height, width, channels]);
      expect(Array.from(batch.ids)).toEqual([last, 0, last]);
      const size = height * width * channels;
      for (const row of [0, 1, 2]) {
        const alone = await dataset.read([row === 1 ? 0 : last]);
        expect(batch.inputs.subarray(row * size, (row + 1) * size)).toEqual(alone.inputs);
        expect(batch.labels[row]).toBe(alone.labels[0]);
      }
    });

    it('reads nothing as an empty batch', async () => {
      const dataset = await make();
      const batch = await dataset.read([]);
      expect(batch.shape).toEqual([0, ...dataset.inputShape]);
      expect([batch.inputs.length, batch.labels.length, batch.ids.length]).toEqual([0, 0, 0]);
    });

    it('refuses indices that are none of its examples', async () => {
      const dataset = await make();
      for (const index of [-1, dataset.length, 0.5, NaN]) {
        await expect(dataset.read([0, index])).rejects.toMatchObject({ code: 'ARGUMENT', message: expect.stringContaining(String(index)) });
      }
    });

    it('iterates over every example once, in order, within bounds and classes', async () => {
      const dataset = await make();
      const ids: number[] = [];
      for await (const batch of dataset) {
        ids.push(...batch.ids);
        checkBatch(dataset, batch);
      }
      expect(ids).toEqual(Array.from({ length: dataset.length }, (_, i) => i));
    });

    it('hands out copies', async () => {
      const dataset = await make();
      const first = await dataset.read([0]);
      const before = { inputs: first.inputs.slice(), label: first.labels[0] };
      first.inputs.fill(-7);
      first.labels.fill(-7);
      const again = await dataset.read([0]);
      expect(again.inputs).toEqual(before.inputs);
      expect(again.labels[0]).toBe(before.label);
    });
  });
}

function checkBatch({ bounds: [low, high], classNames, inputShape }: Dataset, { inputs, labels, ids, shape }: Batch): void {
  expect(shape).toEqual([ids.length, ...inputShape]);
  expect(inputs.length).toBe(shape.reduce((total, size) => total * size, 1));
  expect(labels.length).toBe(ids.length);
  expect(inputs.every((value) => value >= low && value <= high)).toBe(true);
  expect(labels.every((label) => label >= 0 && label < classNames.length)).toBe(true);
}
