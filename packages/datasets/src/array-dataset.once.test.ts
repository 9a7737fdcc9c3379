import { describe, expect, it } from 'vitest';
import { type ArrayDatasetOptions, arrayDataset } from './array-dataset.js';
import { describeDataset } from './testing/describe-dataset.js';

const bytes: ArrayDatasetOptions = {
  name: 'bytes',
  split: 'train',
  images: Uint8Array.from({ length: 300 * 4 }, (_, i) => (i * 37) % 256),
  labels: Array.from({ length: 300 }, (_, i) => i % 3),
  inputShape: [2, 1, 2],
  classNames: ['a', 'b', 'c'],
};
const floats: ArrayDatasetOptions = { ...bytes, name: 'floats', images: new Float32Array(300 * 4).map((_, i) => (i % 9) / 4 - 1), bounds: [-1, 1] };

describeDataset('arrayDataset of bytes', () => arrayDataset(bytes));
describeDataset('arrayDataset of floats', () => arrayDataset(floats));

describe('arrayDataset', () => {
  it('divides bytes by 255, to the nearest float32', async () => {
    const all = arrayDataset({ ...bytes, images: Uint8Array.from({ length: 256 }, (_, i) => i), inputShape: [16, 16, 1], labels: [0] });
    expect((await all.read([0])).inputs).toEqual(Float32Array.from({ length: 256 }, (_, i) => i / 255));
  });

  it('hands floats through unchanged', async () => {
    expect((await arrayDataset(floats).read([1])).inputs).toEqual(floats.images.slice(4, 8));
  });

  it('does not follow later changes of the labels', async () => {
    const labels = Int32Array.of(0, 1);
    const dataset = arrayDataset({ ...bytes, images: new Uint8Array(8), labels });
    labels.fill(2);
    expect(Array.from((await dataset.read([0, 1])).labels)).toEqual([0, 1]);
  });

  it.each([
    ['SHAPE', { labels: [0, 1] }, 'arrayDataset: images must have 2 x 2 x 1 x 2 entries, one image per label, got 1200.'],
    ['ARGUMENT', { inputShape: [2, 0, 2] }, 'inputShape[1] must be an integer ≥ 1, got 0'],
    ['ARGUMENT', { classNames: [] }, 'classNames must be names'],
    ['ARGUMENT', { classNames: ['a', '', 'c'] }, 'classNames must be names'],
    ['ARGUMENT', { bounds: [0, 2] }, 'bounds must be [0, 1] for bytes'],
    ['ARGUMENT', { images: floats.images, bounds: [1, -1] }, 'low < high'],
    ['ARGUMENT', { boundz: [0, 1] }, "unknown option 'boundz'"],
    ['DATA_FORMAT', { classNames: ['a', 'b'] }, "arrayDataset: 'bytes' (train) must have labels in [0, 2), got 2 at 2. Check that classNames names every class."],
    ['DATA_FORMAT', { images: floats.images }, 'must have values in bounds [0, 1], got -1 at 0. Scale the values'],
    ['DATA_FORMAT', { images: new Float32Array(1200).fill(NaN, 7, 8) }, 'got NaN at 7'],
  ])('refuses, as %s, %j', (code, change, message) => {
    expect(() => arrayDataset({ ...bytes, ...change } as ArrayDatasetOptions)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});
