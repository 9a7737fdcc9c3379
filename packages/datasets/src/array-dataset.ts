import { type Bounds, type Dataset, ShapeError, expectArgument, expectInteger, expectKnownKeys } from '@moe/core';
import { DOWNLOAD_AGAIN, expectFormat } from './internal/expect-format.js';
import { iterate } from './internal/iterate.js';
import { toIndices } from './internal/to-indices.js';

/** A data set that knows its labels without reading images. */
export interface LabelledDataset extends Dataset {
  /** Class index of every example; do not write to it. */
  readonly labels: Int32Array;
}

/** Arguments of {@link arrayDataset}. */
export interface ArrayDatasetOptions {
  readonly name: string;
  readonly split: string;
  /** Row-major `[N,H,W,C]`; bytes are divided by 255 when read, floats must lie within `bounds`. Kept, not copied. */
  readonly images: Uint8Array | Float32Array;
  /** Class indices `[N]`. Copied. */
  readonly labels: ArrayLike<number>;
  /** `[H, W, C]`. */
  readonly inputShape: readonly [number, number, number];
  readonly classNames: readonly string[];
  /** Of float images; bytes always become `[0, 1]`. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
}

const UINT8_MAX = 255;

/**
 * A data set over arrays in memory.
 *
 * @throws ShapeError if the arrays do not fit `inputShape` and each other.
 * @throws DataFormatError if a label is no class, or a float is NaN or outside `bounds`.
 *
 * @example
 * const dataset = arrayDataset({ name: 'dots', split: 'train', images: new Uint8Array([0, 255]), labels: [0, 1], inputShape: [1, 1, 1], classNames: ['off', 'on'] });
 * (await dataset.read([1])).inputs; // [1]
 */
export function arrayDataset(options: ArrayDatasetOptions): LabelledDataset {
  const caller = 'arrayDataset';
  expectKnownKeys(caller, options, ['name', 'split', 'images', 'labels', 'inputShape', 'classNames', 'bounds']);
  const { name, split, images, inputShape, classNames, bounds = [0, 1] } = options;
  inputShape.forEach((size, axis) => expectInteger(caller, `inputShape[${axis}]`, size, 1));
  expectArgument(caller, 'classNames', classNames.length > 0 && classNames.every((label) => label !== ''), 'be names, none of them empty', [...classNames]);
  const wide = images instanceof Float32Array ? bounds[0] < bounds[1] : bounds[0] === 0 && bounds[1] === 1;
  expectArgument(caller, 'bounds', wide, images instanceof Float32Array ? 'be [low, high] with low < high' : 'be [0, 1] for bytes', [...bounds]);
  const [height, width, channels] = inputShape;
  const size = height * width * channels;
  if (images.length !== options.labels.length * size) {
    throw new ShapeError(`${caller}: images must have ${options.labels.length} x ${inputShape.join(' x ')} entries, one image per label, got ${images.length}.`);
  }
  const source = { caller, file: `'${name}' (${split})` };
  checkLabels(source, options.labels, classNames.length);
  if (images instanceof Float32Array) checkValues(source, images, bounds);
  const labels = Int32Array.from(options.labels);
  const dataset: LabelledDataset = {
    name,
    split,
    length: labels.length,
    inputShape,
    classNames,
    bounds,
    labels,
    async read(indices) {
      const ids = toIndices(caller, name, indices, labels.length);
      const inputs = new Float32Array(ids.length * size);
      const batchLabels = new Int32Array(ids.length);
      ids.forEach((id, row) => {
        inputs.set(images.subarray(id * size, (id + 1) * size), row * size);
        batchLabels[row] = labels[id]!;
      });
      if (images instanceof Uint8Array) for (let i = 0; i < inputs.length; i++) inputs[i] = inputs[i]! / UINT8_MAX;
      return { inputs, labels: batchLabels, ids, shape: [ids.length, height, width, channels] };
    },
    [Symbol.asyncIterator]: () => iterate(dataset),
  };
  return dataset;
}

function checkLabels(source: { caller: string; file: string }, labels: ArrayLike<number>, numClasses: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    expectFormat(source, Number.isInteger(label) && label >= 0 && label < numClasses, `have labels in [0, ${numClasses})`, `${label} at ${i}`, 'Check that classNames names every class.');
  }
}

function checkValues(source: { caller: string; file: string }, images: Float32Array, [low, high]: Bounds): void {
  const wrong = images.findIndex((value) => !(value >= low && value <= high));
  expectFormat(source, wrong < 0, `have values in bounds [${low}, ${high}]`, `${images[wrong]} at ${wrong}`, Number.isNaN(images[wrong]) ? DOWNLOAD_AGAIN : 'Scale the values, or pass their bounds.');
}
