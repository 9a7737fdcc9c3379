import { crossEntropy } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { type Batch, type Dataset, createRng } from '@moe/core';
import { toTensors } from '@moe/datasets';
import { type Tensor, type Tensor2D, abs, dispose, grad, max, mul, softmax, sum, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { Model } from './model.js';
import type { GateProbe } from './results.js';
import type { Config } from './schema.js';

const SHOWN = 4;
const BYTE_MAX = 255;
/** Points of one run of PGD at which the gates are looked at. */
const STEPS = [5, 10, 20];

type SensitivityMap = GateProbe['sensitivity'][number];

/** |∂ ce(gate, expert) / ∂x| summed over channels (Robust Experts, gate sensitivity maps), for one expert of each image. */
function mapsAt({ view }: Model, layer: string, inputs: Tensor, labels: Batch['labels'], experts: readonly number[]): SensitivityMap[] {
  const scoresOf = (images: Tensor): Tensor2D => view.forward(images).routing.find((routing) => routing.layer === layer)!.gateLogits;
  const { maps, largest, gates } = tidy(() => {
    const wanted = tensor1d([...experts], 'int32');
    // The mean over the batch, taken back.
    const gradient = grad((x) => mul(experts.length, crossEntropy(scoresOf(x), wanted)))(inputs);
    const summed = sum(abs(gradient), 3);
    return { maps: summed.dataSync().slice(), largest: max(summed, [1, 2]).dataSync().slice(), gates: softmax(scoresOf(inputs)).dataSync().slice() };
  });
  const [size, numExperts] = [maps.length / experts.length, gates.length / experts.length];
  return experts.map((expert, image) => {
    const top = Math.max(largest[image]!, Number.MIN_VALUE);
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => Math.round((BYTE_MAX * maps[image * size + i]!) / top)));
    return { image, label: labels[image]!, expert, gate: gates[image * numExperts + expert]!, max: largest[image]!, map: bytes.toString('base64') };
  });
}

/** Maps of the first images for every expert of a layer; and for the expert that serves an image most, as PGD moves it. */
export async function sensitivityOf(model: Model, layer: string, data: Dataset, { evaluation: { eps }, seed }: Config): Promise<GateProbe['sensitivity']> {
  const batch = await data.read(Array.from({ length: Math.min(SHOWN, data.length) }, (_, i) => i));
  const { inputs, labels } = toTensors(batch);
  const { numExperts } = model.view.moeLayers.find(({ name }) => name === layer)!;
  const clean = Array.from({ length: numExperts }, (_, expert) => mapsAt(model, layer, inputs, batch.labels, Array.from(batch.labels, () => expert)));
  const chosen = Array.from(batch.labels, (_, image) => {
    const gates = clean.map((maps) => maps[image]!.gate);
    return gates.indexOf(Math.max(...gates));
  });
  const attacked = STEPS.flatMap((steps) => {
    const attack = pgd({ eps, steps, stepSize: (2.5 * eps) / STEPS.at(-1)!, start: 'none', goal: 'lastStep' });
    const { adversarial, success, loss } = attack.perturb(model.logits('gated'), inputs, labels, { rng: createRng(seed).stream('sensitivity'), exampleIds: batch.ids });
    const maps = mapsAt(model, layer, adversarial, batch.labels, chosen);
    dispose([adversarial, success, loss]);
    return maps.map((map) => ({ ...map, steps }));
  });
  dispose([inputs, labels]);
  return [...clean.flat(), ...attacked];
}
