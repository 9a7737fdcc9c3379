import { readFile } from 'node:fs/promises';
import { loadWeights } from '@moe/adv-train';
import type { Dataset } from '@moe/core';
import { files } from './jobs.js';
import { type Model, buildModel } from './model.js';
import type { JobContext } from './train-model.js';
import type { ModelName } from './schema.js';

/** A trained model of this run; dispose its network. */
export async function finishedModel(name: ModelName, { config, folder }: Pick<JobContext, 'config' | 'folder'>, data: Dataset): Promise<Model> {
  const model = buildModel(name, config, data);
  loadWeights(model.weights, await readFile(files.weights(folder, name)));
  return model;
}
