// The released attack and what its code counts (Puigcerver et al. 2022): fixed steps, no projection, pixels in [−1, 1] that may leave their range.
import { vMoePgd } from '@moe/attacks';
import { crossEntropy } from '@moe/adv-train';
import { type Dataset, type LogitsFn, createRng } from '@moe/core';
import { toTensors } from '@moe/datasets';
import { expectedIou, routingChange } from '@moe/router';
import { type Tensor, type Tensor1D, add, argMax, div, dispose, mul, sub, tidy } from '@tensorflow/tfjs-core';
import type { Model } from './model.js';
import type { ReleasedRecord, RoutingChangeRecord } from './records.js';

/** Images `[−1, 1]` as the model wants them. */
const toUnit = (images: Tensor): Tensor => div(add(images, 1), 2);
const signed = (images: Tensor): Tensor => sub(mul(images, 2), 1);

interface Pass {
  readonly predictions: Int32Array;
  readonly loss: number;
  /** Combine weights of each layer, row-major. */
  readonly routing: readonly Float32Array[];
}

function pass({ view }: Model, images: Tensor, labels: Tensor1D): Pass {
  return tidy(() => {
    const { logits, routing } = view.forward(images);
    return {
      predictions: argMax(logits, 1).dataSync() as Int32Array,
      loss: crossEntropy(logits, labels).dataSync()[0]!,
      routing: routing.map(({ combineWeights }) => combineWeights.dataSync() as Float32Array),
    };
  });
}

/** Right and wrong as characters. */
const flagsOf = (predictions: ArrayLike<number>, labels: ArrayLike<number>): string => Array.from(predictions, (predicted, i) => (predicted === labels[i] ? '1' : '0')).join('');

/** Attacks all images at one radius, for pixels in [0, 1], and counts. */
export async function releasedAttack(model: Model, data: Dataset, { eps, steps, batchSize = 100, seed }: { readonly eps: number; readonly steps: number; readonly batchSize?: number; readonly seed: number }): Promise<ReleasedRecord> {
  const attack = vMoePgd({ eps: 2 * eps, steps });
  const logits: LogitsFn = (images) => tidy(() => model.view.forward(toUnit(images)).logits);
  let [clean, attacked, predictionChanges, lossBefore, lossAfter] = ['', '', 0, 0, 0];
  const before = model.view.moeLayers.map((): number[] => []);
  const after = model.view.moeLayers.map((): number[] => []);
  for (let start = 0; start < data.length; start += batchSize) {
    const batch = await data.read(Array.from({ length: Math.min(batchSize, data.length - start) }, (_, i) => start + i));
    const { inputs, labels } = toTensors(batch);
    const targets = labels as Tensor1D;
    const from = signed(inputs);
    const { adversarial, success, loss } = attack.perturb(logits, from, targets, { rng: createRng(seed), exampleIds: batch.ids });
    const moved = toUnit(adversarial);
    const [first, second] = [pass(model, inputs, targets), pass(model, moved, targets)];
    dispose([inputs, labels, from, adversarial, success, loss, moved]);
    clean += flagsOf(first.predictions, batch.labels);
    attacked += flagsOf(second.predictions, batch.labels);
    predictionChanges += first.predictions.filter((predicted, i) => predicted !== second.predictions[i]).length;
    lossBefore += first.loss * batch.labels.length;
    lossAfter += second.loss * batch.labels.length;
    first.routing.forEach((weights, layer) => before[layer]!.push(...weights));
    second.routing.forEach((weights, layer) => after[layer]!.push(...weights));
  }
  const routing = model.view.moeLayers.map(({ name, numExperts, topK }, layer): RoutingChangeRecord => {
    const rowsPerExample = before[layer]!.length / numExperts / data.length;
    const { change, firstChoiceFlips } = routingChange(before[layer]!, after[layer]!, { numExperts, rowsPerExample });
    return { layer: name, change, firstChoiceFlips, random: 1 - expectedIou(topK, numExperts) };
  });
  return { eps, images: data.length, clean, attacked, predictionChanges, lossBefore: lossBefore / data.length, lossAfter: lossAfter / data.length, routing };
}
