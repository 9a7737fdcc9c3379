import { type Tensor, clone, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { buildNetwork } from '../build-network.js';
import { modelWeights } from '../model/model-weights.js';
import type { NetworkSpec } from '../spec/parts.js';

/**
 * Builds a network and fills its weights with those of another.
 *
 * @param valueOf - value of a weight of the new network; none leaves its first value. Tensors that it makes are disposed here.
 */
export function rebuild(spec: NetworkSpec, valueOf: (name: string) => Tensor | undefined): LayersModel {
  const model = buildNetwork(spec);
  try {
    for (const { name, variable } of modelWeights(model)) {
      tidy(() => {
        const value = valueOf(name);
        // Of a clone, so that the variable does not take over the tensor itself; the numbers are shared until one of the two changes.
        if (value !== undefined) variable.assign(clone(value));
      });
    }
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The weights of a model by name. */
export const valuesByName = (model: LayersModel): ReadonlyMap<string, Tensor> => new Map(modelWeights(model).map(({ name, variable }) => [name, variable]));

/** Splits the name of an expert's weight, such as `layer4.0/expert2/conv1/kernel`. */
export function expertWeightName(name: string): { readonly layer: string; readonly expert: number; readonly rest: string } | undefined {
  const [, layer, expert, rest] = /^([^/]+)\/expert(\d+)\/(.+)$/.exec(name) ?? [];
  return layer === undefined || rest === undefined ? undefined : { layer, expert: Number(expert), rest };
}
