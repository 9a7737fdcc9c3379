import type { Dataset } from '@moe/core';
import type { LabelledDataset } from '../array-dataset.js';

export const isLabelled = (dataset: Dataset): dataset is LabelledDataset => 'labels' in dataset && dataset.labels instanceof Int32Array;

/** Labels of all examples; reads the images too where the data set cannot do without. */
export async function labelsOf(dataset: Dataset): Promise<Int32Array> {
  if (isLabelled(dataset)) return dataset.labels;
  const labels = new Int32Array(dataset.length);
  for await (const batch of dataset) batch.ids.forEach((id, row) => (labels[id] = batch.labels[row]!));
  return labels;
}
