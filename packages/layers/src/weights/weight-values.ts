import type { LayersModel } from '@tensorflow/tfjs-layers';
import { modelWeights } from '../model/model-weights.js';
import type { HostTensors } from '../safetensors/host-tensor.js';

/**
 * All weights of a model as plain arrays, running statistics included: what {@link writeSafetensors} writes and {@link loadWeights} takes.
 *
 * @returns Tensors by the names of {@link modelWeights}, in their order; copies. Waits for the engine.
 *
 * @example
 * await writeFile('model.safetensors', writeSafetensors(weightValues(model)));
 */
export function weightValues(model: LayersModel): HostTensors {
  return new Map(modelWeights(model).map(({ name, variable }) => [name, { shape: variable.shape, data: variable.dataSync().slice() as Float32Array }]));
}
