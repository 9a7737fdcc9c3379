import type { LayersModel } from '@tensorflow/tfjs-layers';
import { modelWeights } from '../model/model-weights.js';
import type { HostTensors } from '../safetensors/host-tensor.js';
import { assignValues } from './assign-values.js';

/**
 * Gives a model the weights that {@link weightValues} took from one like it.
 *
 * @throws {@link CheckpointError} if names, shapes or types disagree; the model is then as it was.
 *
 * @example
 * loadWeights(model, readSafetensors(await readFile('model.safetensors')).tensors);
 */
export function loadWeights(model: LayersModel, tensors: HostTensors): void {
  const weights = modelWeights(model);
  const names = new Set(weights.map(({ name }) => name));
  assignValues('loadWeights', weights.map((weight) => ({ weight, source: weight.name, value: tensors.get(weight.name) })), [...tensors.keys()].filter((name) => !names.has(name)));
}
