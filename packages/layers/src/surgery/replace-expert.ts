import { expectInteger } from '@moe/core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { modelWeights } from '../model/model-weights.js';
import type { HostTensors } from '../safetensors/host-tensor.js';
import { assignValues } from '../weights/assign-values.js';
import { routedSpec } from './change-mixtures.js';
import { describeNetwork } from './describe-network.js';
import { physicalExpert } from './slots.js';

function weightsOfExpert(caller: string, network: LayersModel, layer: string, expert: number) {
  const { part } = routedSpec(caller, describeNetwork(caller, network), layer);
  expectInteger(caller, `expert of '${layer}'`, expert, 0, part.router.numExperts - 1);
  const prefix = `${layer}/expert${physicalExpert(caller, `expert of '${layer}'`, part, expert)}/`;
  return modelWeights(network).flatMap((weight) => (weight.name.startsWith(prefix) ? [{ weight, source: weight.name.slice(prefix.length) }] : []));
}

/**
 * The weights of one expert as plain arrays, by their names within it, such as `conv1/kernel`: to be kept in a file, or put in another place by {@link replaceExpert}.
 *
 * @throws {@link ArgumentError} if the layer or the expert does not exist.
 *
 * @example
 * const expert = expertValues(network, 'layer4.0', 2);
 */
export function expertValues(network: LayersModel, layer: string, expert: number): HostTensors {
  return new Map(weightsOfExpert('expertValues', network, layer, expert).map(({ weight: { variable }, source }) => [source, { shape: variable.shape, data: variable.dataSync().slice() as Float32Array }]));
}

/**
 * Gives one expert the weights of another, of this network or of any other with experts of the same shape; changes the network in place.
 *
 * @throws {@link ArgumentError} if the layer or the expert does not exist; {@link CheckpointError} if names or shapes disagree, with the network as it was.
 *
 * @example
 * replaceExpert(network, 'layer4.0', 3, expertValues(other, 'layer4.0', 2));
 */
export function replaceExpert(network: LayersModel, layer: string, expert: number, values: HostTensors): void {
  const weights = weightsOfExpert('replaceExpert', network, layer, expert);
  const names = new Set(weights.map(({ source }) => source));
  assignValues('replaceExpert', weights.map(({ weight, source }) => ({ weight, source, value: values.get(source) })), [...values.keys()].filter((name) => !names.has(name)));
}
