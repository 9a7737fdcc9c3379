import { type Dataset, expectInteger } from '@moe/core';
import type { LabelledDataset } from '../array-dataset.js';
import { isLabelled } from '../internal/labels.js';
import { iterate } from '../internal/iterate.js';
import { toIndices } from '../internal/to-indices.js';

/**
 * The examples at `indices`, in that order; an index may occur twice.
 *
 * @remarks
 * It is a data set of its own: example i is `indices[i]` of the parent, and its id is i.
 *
 * @throws ArgumentError if an index is out of range.
 *
 * @example
 * const shirts = subset(dataset, Array.from(dataset.labels.keys()).filter((i) => dataset.labels[i] === 6));
 */
export function subset(dataset: LabelledDataset, indices: ArrayLike<number>): LabelledDataset;
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset;
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const chosen = toIndices('subset', dataset.name, indices, dataset.length);
  const { name, split, inputShape, classNames, bounds } = dataset;
  const view: Dataset = {
    name,
    split,
    length: chosen.length,
    inputShape,
    classNames,
    bounds,
    async read(wanted) {
      const ids = toIndices('subset', name, wanted, chosen.length);
      return { ...(await dataset.read(ids.map((id) => chosen[id]!))), ids };
    },
    [Symbol.asyncIterator]: () => iterate(view),
    ...(isLabelled(dataset) ? { labels: chosen.map((index) => dataset.labels[index]!) } : {}),
  };
  return view;
}

/**
 * The first `length` examples.
 *
 * @throws ArgumentError if there are fewer.
 */
export function take(dataset: LabelledDataset, length: number): LabelledDataset;
export function take(dataset: Dataset, length: number): Dataset;
export function take(dataset: Dataset, length: number): Dataset {
  expectInteger('take', 'length', length, 0, dataset.length);
  return subset(dataset, Array.from({ length }, (_, i) => i));
}
