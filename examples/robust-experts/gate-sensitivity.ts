import { crossEntropy } from '@moe/adv-train';
import type { Dataset, MoeModel } from '@moe/core';
import { toTensors } from '@moe/datasets';
import { type Tensor1D, type Tensor2D, abs, dispose, fill, grad, max, mul, slice, softmax, sum, tidy } from '@tensorflow/tfjs-core';
import type { GateProbe } from './results.js';

const SHOWN = 4;
const BYTE_MAX = 255;

/** |∂ ce(gate, expert) / ∂x| summed over channels (Robust Experts, gate sensitivity maps), for the first images and every expert of a layer. */
export async function sensitivityOf(model: MoeModel, layer: string, data: Dataset): Promise<GateProbe['sensitivity']> {
  const batch = await data.read(Array.from({ length: Math.min(SHOWN, data.length) }, (_, i) => i));
  const { inputs, labels } = toTensors(batch);
  const scoresOf = (images: typeof inputs): Tensor2D => model.forward(images).routing.find((routing) => routing.layer === layer)!.gateLogits;
  const found: GateProbe['sensitivity'][number][] = [];
  const [images, numExperts] = tidy(() => scoresOf(inputs).shape);
  for (let expert = 0; expert < numExperts; expert++) {
    const { maps, largest, gates } = tidy(() => {
      const gradient = grad((x) => mul(images, crossEntropy(scoresOf(x as typeof inputs), fill([images], expert, 'int32') as Tensor1D)))(inputs);
      const summed = sum(abs(gradient), 3);
      return { maps: summed.dataSync(), largest: max(summed, [1, 2]).dataSync(), gates: slice(softmax(scoresOf(inputs)), [0, expert], [images, 1]).dataSync() };
    });
    const size = maps.length / images;
    for (let image = 0; image < images; image++) {
      const top = Math.max(largest[image]!, Number.MIN_VALUE);
      const bytes = Buffer.from(Array.from({ length: size }, (_, i) => Math.round((BYTE_MAX * maps[image * size + i]!) / top)));
      found.push({ image, label: batch.labels[image]!, expert, gate: gates[image]!, max: largest[image]!, map: bytes.toString('base64') });
    }
  }
  dispose([inputs, labels]);
  return found;
}
