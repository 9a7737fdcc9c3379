import { CustomMoe } from '@moe/layers';
import { gapFc, topKRouter } from '@moe/router';
import { type LayersModel, type SymbolicTensor, initializers, input, layers, model, sequential } from '@tensorflow/tfjs-layers';

/** A small CNN from image to logits. */
function expert(seed: number): LayersModel {
  const kernelInitializer = initializers.heNormal({ seed });
  const conv = (filters: number) => layers.conv2d({ filters, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu', kernelInitializer });
  return sequential({ layers: [layers.inputLayer({ inputShape: [28, 28, 1] }), conv(8), conv(16), layers.flatten(), layers.dense({ units: 10, kernelInitializer })] });
}

/**
 * `F(x) = f_e(x)` with `e = argmax r(x)`: a linear router on the pixels sends every image to one of four classifiers, with weight 1. The router learns with them, by a straight-through
 * gradient and a balance loss that keeps all experts in use.
 */
export function buildNetwork(seed: number): LayersModel {
  const image = input({ shape: [28, 28, 1] });
  const pixels = layers.flatten().apply(image) as SymbolicTensor;
  const router = topKRouter({ numExperts: 4, topK: 1, gate: gapFc(), balance: { loss: 'importanceLoss', weight: 0.1 } });
  const moe = new CustomMoe({ name: 'moe', expert: (index) => expert(100 * seed + index), router, seed });
  return model({ inputs: image, outputs: moe.apply([image, pixels]) as SymbolicTensor });
}
