import type { Dataset, LogitsFn, MoeModel, Weight } from '@moe/core';
import { countMacs, countParameters, logitsFn, modelWeights, moeModel, resnet } from '@moe/layers';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type RoutePath } from './jobs.js';
import { networkOptions } from './network.js';
import type { Config, ModelName } from './schema.js';
import { fixedLayer } from './summary.js';

export interface Model {
  readonly view: MoeModel;
  readonly weights: readonly Weight[];
  readonly parameters: number;
  readonly macs: number;
  readonly network: LayersModel;
  /** Classifier along one path, in evaluation mode. */
  readonly logits: (path: RoutePath) => LogitsFn;
}

/** Builds the network that `name` stands for; the same configuration gives the same initial weights. */
export function buildModel(name: ModelName, config: Config, data: Dataset): Model {
  const network = resnet(networkOptions(name, config, { classes: data.classNames.length, inputShape: data.inputShape }));
  const view = moeModel(network);
  const layers = view.moeLayers.map((layer) => layer.name);
  return {
    view,
    weights: modelWeights(network),
    parameters: countParameters(network),
    macs: countMacs(network),
    network,
    // Without options it brings the view, for attacks on routing.
    logits: (path) => (path === 'gated' ? logitsFn(view) : logitsFn(view, { experts: { [fixedLayer(layers, config)]: path } })),
  };
}
