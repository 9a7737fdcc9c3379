import type { LogitsFn, MoeLogitsFn, MoeModel } from '@moe/core';
import { CustomMoe } from '@moe/layers';
import { type TopKRouterOptions, gapFc, topKRouter } from '@moe/router';
import { tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, initializers, input, layers, model, sequential } from '@tensorflow/tfjs-layers';

export const EXPERTS = 4;

/** A small CNN from image to logits. */
function expert(seed: number): LayersModel {
  const kernelInitializer = initializers.heNormal({ seed });
  const conv = (filters: number) => layers.conv2d({ filters, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', kernelInitializer });
  return sequential({ layers: [layers.inputLayer({ inputShape: [28, 28, 1] }), conv(8), conv(16), layers.flatten(), layers.dense({ units: 10, kernelInitializer })] });
}

/** `F(x) = f_e(x)` with `e = argmax r(x)`: a linear router on the pixels, which is trained, sends every image to one of four classifiers, with weight 1. */
export function buildNetwork(seed: number, options: Pick<TopKRouterOptions, 'balance'> = {}): LayersModel {
  const image = input({ shape: [28, 28, 1] });
  const pixels = layers.flatten().apply(image) as SymbolicTensor;
  const router = topKRouter({ numExperts: EXPERTS, topK: 1, gate: gapFc(), ...options });
  const moe = new CustomMoe({ name: 'moe', expert: (index) => expert(100 * seed + index), router, seed });
  return model({ inputs: image, outputs: moe.apply([image, pixels]) as SymbolicTensor });
}

/** The model as it is deployed: its choice of an expert has the gradient that an argmax has, none. */
export function deployed(view: MoeModel): MoeLogitsFn {
  const logits: LogitsFn = (images) => tidy(() => view.forward(images, { gate: 'detached' }).logits);
  return Object.assign(logits, { moe: view });
}
