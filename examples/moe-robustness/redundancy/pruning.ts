// Fewer experts, and other numbers of them a token, than the model was trained with.
import { type ForwardOptions, type MoeModel, type Rng, topKIndices } from '@moe/core';
import { moeModel, withTopK } from '@moe/layers';
import { expertUsage } from '@moe/router';
import { type Tensor, dispose, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { accuracyOf, routesOf } from './reroute.js';

/** Which experts go first: those that serve fewest tokens, those that serve most, or any. */
export type PruningOrder = 'least' | 'most' | 'random';

/** Accuracy by number of experts removed from every layer; tokens are routed among the rest. */
export function accuracyByPruning(view: MoeModel, images: Tensor, labels: ArrayLike<number>, order: PruningOrder, rng: Rng): number[] {
  const routes = routesOf(view, images);
  const orders = new Map(view.moeLayers.map(({ name, numExperts }) => {
    const share = expertUsage(routes[name]!.dataSync(), numExperts).share;
    const going = order === 'random' ? rng.stream(name).permutation(numExperts) : topKIndices(Array.from(share, (value) => (order === 'least' ? -value : value)), numExperts, numExperts);
    return [name, Array.from(going)];
  }));
  dispose(routes);
  const most = Math.min(...view.moeLayers.map(({ numExperts, topK }) => numExperts - topK));
  return Array.from({ length: most + 1 }, (_, removed) => {
    const experts: ForwardOptions['experts'] = Object.fromEntries(view.moeLayers.map(({ name, numExperts }) => [name, Array.from({ length: numExperts }, (__, expert) => !orders.get(name)!.slice(0, removed).includes(expert))]));
    return tidy(() => accuracyOf(view.forward(images, { experts }).logits, labels));
  });
}

/** Accuracy with K = 1 … E experts a token, gates as they are. */
export function accuracyByTopK(network: LayersModel, images: Tensor, labels: ArrayLike<number>): number[] {
  const numExperts = Math.min(...moeModel(network).moeLayers.map((layer) => layer.numExperts));
  return Array.from({ length: numExperts }, (_, at) => {
    const changed = withTopK(network, at + 1);
    try {
      return tidy(() => accuracyOf(moeModel(changed).forward(images).logits, labels));
    } finally {
      changed.dispose();
    }
  });
}
