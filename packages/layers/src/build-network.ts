import { type LayersModel, type SymbolicTensor, input, model } from '@tensorflow/tfjs-layers';
import { createLayer } from './layers/create-layer.js';
import { registerMoeLayers } from './layers/register.js';
import type { NetworkSpec } from './spec/parts.js';

/** The tfjs model of a description; the caller disposes it. */
export function buildNetwork(spec: NetworkSpec): LayersModel {
  registerMoeLayers();
  const image = input({ shape: [...spec.inputShape], name: 'input' });
  const outputs = new Map<string, SymbolicTensor>([['input', image]]);
  let last = image;
  for (const layer of spec.layers) {
    const inputs = layer.inputs.map((name) => outputs.get(name)!);
    last = createLayer(layer, spec.seed).apply(inputs.length === 1 ? inputs[0]! : inputs) as SymbolicTensor;
    outputs.set(layer.name, last);
  }
  return model({ inputs: image, outputs: last, name: spec.name });
}
