import type { LayersModel } from '@tensorflow/tfjs-layers';
import { buildNetwork } from './build-network.js';
import { type PreactResnetOptions, type WideResnetOptions, preactResnetSpec, wideResnetSpec } from './spec/preactivation-spec.js';
import { type ResnetOptions, resnetSpec } from './spec/resnet-spec.js';

/**
 * A ResNet of BasicBlocks or bottlenecks as an ordinary tfjs model, dense or with MoE layers at any place.
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
  return buildNetwork(resnetSpec(options));
}

/**
 * A Wide ResNet for small images, WRN-28-10 by default, as an ordinary tfjs model, dense or with MoE layers at any place.
 *
 * @param options - see {@link WideResnetOptions}; the last stage is `'layer3'`.
 * @returns Model `[B,H,W,C]` in [0, 1] → logits `[B,M]`, not softmaxed; the caller disposes it.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist (the message lists them).
 * @see {@link https://arxiv.org/abs/1605.07146 | Zagoruyko and Komodakis 2016}
 *
 * @example
 * const model = wideResnet({ depth: 10, widen: 1, classes: 10, inputShape: [32, 32, 3], seed: 1 });
 */
export function wideResnet(options: WideResnetOptions): LayersModel {
  return buildNetwork(wideResnetSpec(options));
}

/**
 * A ResNet of preactivation blocks, PreAct-ResNet-18 by default, as an ordinary tfjs model, dense or with MoE layers at any place.
 *
 * @param options - see {@link PreactResnetOptions}.
 * @returns Model `[B,H,W,C]` in [0, 1] → logits `[B,M]`, not softmaxed; the caller disposes it.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist (the message lists them).
 * @see {@link https://arxiv.org/abs/1603.05027 | He et al. 2016}
 *
 * @example
 * const model = preactResnet({ width: 8, classes: 10, inputShape: [32, 32, 3], seed: 1 });
 */
export function preactResnet(options: PreactResnetOptions): LayersModel {
  return buildNetwork(preactResnetSpec(options));
}
