// Experts drawn at random in the place of the chosen ones.
import type { MoeModel, Rng } from '@moe/core';
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { type Reroute, accuracyOf, ranked, rerouted } from './reroute.js';

/** With probability `share`, each token's K experts are others, uniformly drawn, with the weights of the chosen. */
export const drawn = (share: number, rng: Rng): Reroute => ({ name, numExperts, topK }, gates, own) => {
  const combine = own.slice();
  ranked(gates, numExperts).forEach((order, row) => {
    const draws = rng.stream(name).at(row);
    if (draws.uniform(1)[0]! >= share) return;
    combine.fill(0, row * numExperts, (row + 1) * numExperts);
    draws.permutation(numExperts).subarray(0, topK).forEach((expert, rank) => (combine[row * numExperts + expert] = gates[row * numExperts + order[rank]!]!));
  });
  return combine;
};

/** All tokens' experts renamed alike: every expert gets the tokens of another, so loads stay. */
export const permuted = (rng: Rng): Reroute => ({ name, numExperts }, gates, own) => {
  const renamed = rng.stream(name).permutation(numExperts);
  const combine = new Float32Array(gates.length);
  own.forEach((weight, at) => (combine[at - (at % numExperts) + renamed[at % numExperts]!] = weight));
  return combine;
};

/** Accuracy by share of tokens that get random experts. */
export function accuracyByShare(view: MoeModel, images: Tensor, labels: ArrayLike<number>, shares: readonly number[], rng: Rng): number[] {
  return shares.map((share) => tidy(() => accuracyOf(rerouted(view, images, drawn(share, rng)), labels)));
}

/** Accuracy with the experts of every layer permuted. */
export const accuracyPermuted = (view: MoeModel, images: Tensor, labels: ArrayLike<number>, rng: Rng): number => tidy(() => accuracyOf(rerouted(view, images, permuted(rng)), labels));
