// A pass in which every layer's experts are chosen anew from its gates, layers in order, each behind what the ones before now do.
import type { MoeLayerInfo, MoeModel } from '@moe/core';
import { type Tensor, type Tensor2D, argMax, tensor2d, tidy } from '@tensorflow/tfjs-core';

/** Combine weights `[T,E]`, row-major, from what the layer would do: its gates and the weights of its own choice. */
export type Reroute = (layer: MoeLayerInfo, gates: Float32Array, combineWeights: Float32Array) => Float32Array;

/** Logits `[B,M]` under other routes; costs a forward pass for each MoE layer and one more. */
export function rerouted(view: MoeModel, images: Tensor, choose: Reroute): Tensor2D {
  return tidy(() => {
    const experts: Record<string, Tensor2D> = {};
    for (const layer of view.moeLayers) {
      const own = view.forward(images, { experts }).routing.find((routing) => routing.layer === layer.name)!;
      experts[layer.name] = tensor2d(choose(layer, own.gates.dataSync() as Float32Array, own.combineWeights.dataSync() as Float32Array), own.gates.shape);
    }
    return view.forward(images, { experts }).logits;
  });
}

/** Combine weights of every layer as a pass over these images chooses them; the caller disposes them. */
export function routesOf(view: MoeModel, images: Tensor): Record<string, Tensor2D> {
  return tidy(() => Object.fromEntries(view.forward(images).routing.map(({ layer, combineWeights }) => [layer, combineWeights])));
}

/** Share of rows whose largest logit is at the label. */
export function accuracyOf(logits: Tensor2D, labels: ArrayLike<number>): number {
  const predicted = tidy(() => argMax(logits, 1).dataSync());
  return predicted.filter((prediction, i) => prediction === labels[i]).length / labels.length;
}

/** Each row's experts by falling gate; equal ones in their order. */
export function ranked(gates: ArrayLike<number>, numExperts: number): number[][] {
  return Array.from({ length: gates.length / numExperts }, (_, row) => Array.from({ length: numExperts }, (__, expert) => expert).toSorted((a, b) => gates[row * numExperts + b]! - gates[row * numExperts + a]! || a - b));
}
