// Experts of lower rank in the place of the chosen ones.
import { expectInteger, type MoeModel } from '@moe/core';
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { type Reroute, accuracyOf, ranked, rerouted } from './reroute.js';

/** Whose weights the experts that step in have: those of the ones they replace, or their own gates. */
export type ShiftedWeights = 'kept' | 'own';

/** Ranks j + 1 to j + K instead of 1 to K. */
export const shifted = (by: number, weights: ShiftedWeights): Reroute => ({ numExperts, topK }, gates) => {
  const combine = new Float32Array(gates.length);
  ranked(gates, numExperts).forEach((order, row) => {
    for (let rank = 0; rank < topK; rank++) {
      const [first, stand] = [order[rank]!, order[rank + by]!];
      combine[row * numExperts + stand] = gates[row * numExperts + (weights === 'kept' ? first : stand)]!;
    }
  });
  return combine;
};

/** Accuracy by shift, from 0, which is the model itself, to E − K. */
export function accuracyByShift(view: MoeModel, images: Tensor, labels: ArrayLike<number>, weights: ShiftedWeights): number[] {
  const most = Math.min(...view.moeLayers.map(({ numExperts, topK }) => numExperts - topK));
  expectInteger('accuracyByShift', 'E − K', most, 0);
  return Array.from({ length: most + 1 }, (_, by) => tidy(() => accuracyOf(rerouted(view, images, shifted(by, weights)), labels)));
}
