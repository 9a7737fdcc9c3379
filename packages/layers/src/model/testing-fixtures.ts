import { type ForwardOptions, type MoeModel, createRng } from '@moe/core';
import { gapFc, topKRouter } from '@moe/router';
import { type Tensor, type Tensor4D, type Variable, clone, io, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { resnet } from '../resnet.js';
import type { MoeOptions } from '../spec/network-options.js';
import type { ResnetOptions } from '../spec/resnet-spec.js';
import { modelWeights } from './model-weights.js';

export const TINY: ResnetOptions = { depth: 10, width: 2, stem: 'cifar', classes: 3, inputShape: [6, 6, 2], seed: 5 };
export const E = 3;
export const ALL = new Array<boolean>(E).fill(true);

export const build = ({ topK = 1, numExperts = E, noiseStd = 0, batchNorm = 'pytorch', ...rest }: Partial<MoeOptions> & Pick<ResnetOptions, 'batchNorm'> & { topK?: number; numExperts?: number; noiseStd?: number } = {}): LayersModel => {
  const router = topKRouter({ numExperts, topK, gate: gapFc(), noiseStd, balance: { loss: 'switchLoss', weight: 0.5 } });
  return resnet({ ...TINY, batchNorm, moe: { at: 'layer4', kind: 'block', router, ...rest } });
};

export const images = (count = 8, seed = 3): Tensor4D => tensor(createRng(seed).uniform(count * 72), [count, 6, 6, 2]);

/** Values that a forward pass gives; nothing is kept. */
export const logitsOf = (model: MoeModel, inputs: Tensor, options?: ForwardOptions): number[] => tidy(() => Array.from(model.forward(inputs, options).logits.dataSync()));

export const weight = (model: LayersModel, name: string): Variable => modelWeights(model).find((candidate) => candidate.name === name)!.variable;
export const valuesOf = (model: LayersModel, pattern: RegExp): number[] => modelWeights(model).filter(({ name }) => pattern.test(name)).flatMap(({ variable }) => Array.from(variable.dataSync()));

/** Makes the experts of a layer copies of expert 0. */
export function equaliseExperts(model: LayersModel, layer: string): void {
  for (const { name, variable } of modelWeights(model)) {
    const other = new RegExp(`^${layer}/expert\\d+/(.*)$`).exec(name);
    if (other !== null) tidy(() => variable.assign(clone(weight(model, `${layer}/expert0/${other[1]!}`))));
  }
}

/** Makes a GAP-FC gate send every row to one expert. */
export const sendAllTo = (model: LayersModel, layer: string, expert: number): void =>
  tidy(() => weight(model, `${layer}/router/bias`).assign(tensor1d(ALL.map((_, e) => (e === expert ? 100 : 0)))));

/** The model that a saved file gives. */
export async function reload(model: LayersModel): Promise<LayersModel> {
  let saved: io.ModelArtifacts | undefined;
  await model.save(io.withSaveHandler((artifacts) => {
    saved = { ...(JSON.parse(JSON.stringify({ ...artifacts, weightData: undefined })) as io.ModelArtifacts), weightData: artifacts.weightData! };
    return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
  }));
  return loadLayersModel(io.fromMemory(saved!));
}
