import { type LayersModel, type SymbolicTensor, input, model } from '@tensorflow/tfjs-layers';
import { createLayer } from './layers/create-layer.js';
import { registerMoeLayers } from './layers/register.js';
import { type ResnetOptions, resnetSpec } from './spec/resnet-spec.js';

/**
 * A ResNet of BasicBlocks as an ordinary tfjs model, dense or with MoE layers at any place.
 *
 * @remarks
 * The networks of torchvision: same paddings, batch norm and initial distributions, layer names as its module paths. Every draw comes from
 * `createRng(seed)`, by layer name, so two networks that differ at one place agree at all others. Calling the model does not change it unless `training` is set;
 * {@link moeModel} gives the view that trainers and attacks take.
 *
 * @param options - see {@link ResnetOptions}.
 * @returns Model `[B,H,W,C]` in [0, 1] → logits `[B,M]`, not softmaxed; the caller disposes it.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist (the message lists them).
 * @see {@link https://arxiv.org/abs/1512.03385 | He et al. 2016}
 *
 * @example
 * const model = resnet({ depth: 18, width: 16, stem: 'cifar', classes: 10, inputShape: [32, 32, 3], seed: 1 });
 */
export function resnet(options: ResnetOptions): LayersModel {
  const spec = resnetSpec(options);
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
