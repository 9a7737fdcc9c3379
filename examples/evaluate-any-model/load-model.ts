import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { DataFormatError, type LogitsFn } from '@moe/core';
import { readFileBounded } from '@moe/core/node';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { type Tensor, type Tensor2D, add, div, io, mul, sub, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import type { InputSettings } from './input-settings.js';
import { logitsNode, stripLayersSoftmax } from './without-softmax.js';

const MAX_BYTES = 2 ** 31;

export interface LoadedModel {
  /** Images in [0, 1] to logits. */
  readonly logits: LogitsFn;
  /** `[H,W,C]`, null where the model takes any. */
  readonly shape: readonly (number | null)[];
  /** Hash of architecture and weights. */
  readonly id: string;
  /** The model itself, without its final softmax, of images as it takes them; undefined for a GraphModel. */
  readonly network: LayersModel | undefined;
}

async function read(path: string): Promise<Uint8Array> {
  const bytes = await readFileBounded('loadModel', path, MAX_BYTES);
  if (bytes === undefined) throw new DataFormatError(`loadModel: ${path} must exist. Pass the model.json that model.save or tensorflowjs_converter wrote, with its weight files beside it.`);
  return bytes;
}

async function readJson(path: string): Promise<io.ModelJSON & { readonly format?: string }> {
  const text = new TextDecoder().decode(await read(path));
  try {
    return JSON.parse(text) as io.ModelJSON & { readonly format?: string };
  } catch (error) {
    throw new DataFormatError(`loadModel: ${path} must be JSON. Pass the model.json, not the weights.`, { cause: error });
  }
}

/**
 * Loads a saved classifier as a function of images in [0, 1], without its final softmax.
 *
 * @throws DataFormatError if a file is missing, or the model does not take one image a row.
 */
export async function loadModel(path: string, { range: [low, high], mean, std }: Pick<InputSettings, 'range' | 'mean' | 'std'>): Promise<LoadedModel> {
  const json = await readJson(path);
  const hash = createHash('sha256').update(JSON.stringify(json));
  if (json.format !== 'graph-model') stripLayersSoftmax(json.modelTopology);
  const artifacts = await io.getModelArtifactsForJSON(json, async (manifest) => {
    const parts: Uint8Array[] = [];
    for (const file of manifest.flatMap(({ paths }) => paths)) parts.push(await read(join(dirname(path), file)));
    const data = Buffer.concat(parts);
    hash.update(data);
    return [manifest.flatMap(({ weights }) => weights), data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer];
  });
  const handler = io.fromMemory(artifacts);
  const { run, shape, network } = json.format === 'graph-model' ? await graphModel(handler, json.modelTopology) : await layersModel(handler);
  if (shape?.length !== 4) throw new DataFormatError(`loadModel: ${path} must take images [B,H,W,C], got inputs of shape [${shape?.join(',')}].`);
  const [subtracted, divided] = [tensor1d([...mean]), tensor1d([...std])];
  const logits: LogitsFn = (images) => tidy(() => run(div(sub(add(mul(images, high - low), low), subtracted), divided)));
  return { logits, shape: shape.slice(1), id: hash.digest('hex').slice(0, 16), network };
}

interface Runnable {
  readonly run: (x: Tensor) => Tensor2D;
  readonly shape: readonly (number | null)[] | undefined;
  readonly network: LayersModel | undefined;
}

async function layersModel(handler: io.IOHandler): Promise<Runnable> {
  const model = await loadLayersModel(handler);
  return { run: (x) => model.apply(x, { training: false }) as Tensor2D, shape: model.inputs[0]?.shape, network: model };
}

async function graphModel(handler: io.IOHandler, topology: unknown): Promise<Runnable> {
  const model = await loadGraphModel(handler);
  const output = logitsNode(topology, model.outputs[0]?.name ?? '');
  return { run: (x) => model.execute(x, output) as Tensor2D, shape: model.inputs[0]?.shape?.map((size) => (size < 0 ? null : size)), network: undefined };
}
