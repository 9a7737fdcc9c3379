import { type Dataset, type LogitsFn, isMoeError } from '@moe/core';
import { fashionMnist } from '@moe/datasets/node';
import type { InputSettings } from '@moe/example-evaluate-any-model/input-settings';
import { loadData } from '@moe/example-evaluate-any-model/load-data';
import { loadModel } from '@moe/example-evaluate-any-model/load-model';
import { saveModel } from '@moe/example-evaluate-any-model/save-model';
import { registerMoeLayers } from '@moe/layers';
import { type NetworkNode, channelScale, describeLayersModel, registerLipschitzLayers, sequence } from '@moe/lipschitz';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { join } from 'node:path';
import type { Mixture } from './mixture.js';
import type { Options } from './options.js';
import { trainModel } from './train-model.js';

/** What is certified and attacked. */
export interface Subject {
  /** Images in [0, 1] to logits. */
  readonly model: LogitsFn;
  readonly modelId: string;
  readonly data: Dataset;
  /** The same function, layer by layer, or why there is none. */
  readonly network: NetworkNode | string;
  /** The same as a mixture, if it is one that was trained here. */
  readonly mixture: Mixture | undefined;
}

/** A description of the function from images in [0, 1], or why bounds know none. */
export function describe(model: LayersModel | undefined, { range: [low, high], mean, std }: Pick<InputSettings, 'range' | 'mean' | 'std'>): NetworkNode | string {
  if (model === undefined) return 'A GraphModel has no layers to describe; convert a LayersModel.';
  const channels = Array.from({ length: Math.max(mean.length, std.length) }, (_, c) => ({ subtracted: mean[c % mean.length]!, divided: std[c % std.length]! }));
  const factors = channels.map(({ divided }) => (high - low) / divided);
  const shifts = channels.map(({ subtracted, divided }) => (low - subtracted) / divided);
  const plain = factors.every((factor) => factor === 1) && shifts.every((shift) => shift === 0);
  try {
    const described = describeLayersModel(model);
    return plain ? described : sequence([channelScale({ name: 'range', factors, shifts }), described]);
  } catch (error) {
    if (isMoeError(error)) return error.message;
    throw error;
  }
}

/** The saved model and its images, or a model trained here and the test images of Fashion-MNIST; that model lies in the output folder afterwards. */
export async function openSubject(options: Options, tell: (line: string) => void): Promise<Subject> {
  registerLipschitzLayers();
  registerMoeLayers();
  const { saved, out } = options;
  const path = saved?.model ?? join(out, 'model', 'model.json');
  const trained = saved === undefined ? await trainModel(options, tell) : undefined;
  const mixture = trained !== undefined && 'experts' in trained ? trained : undefined;
  if (trained !== undefined) await saveModel('experts' in trained ? trained.network : trained, join(out, 'model'));
  const { logits, shape, id, network } = await loadModel(path, options);
  const data = saved === undefined ? await fashionMnist({ split: 'test' }) : await loadData({ ...options, images: saved.images }, shape);
  return { model: logits, modelId: id, data, network: describe(network, options), mixture };
}
