import { expectKnownKeys } from '@moe/core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { modelWeights } from '../model/model-weights.js';
import type { HostTensors } from '../safetensors/host-tensor.js';
import { assignValues } from './assign-values.js';
import { fromTorch, toTorch } from './torch-layout.js';
import { torchNames } from './torch-names.js';
import { weightValues } from './weight-values.js';

/** Options of {@link loadTorchWeights} and {@link torchWeights}. */
export interface TorchWeightsOptions {
  /**
   * What stands before every name of the network in the checkpoint, such as `'model.model.'`. @defaultValue when loading, the shortest that completes the name of
   * the first weight; when writing, nothing
   */
  readonly prefix?: string;
  /** From the name here (torchvision's) to that in the checkpoint, for networks that name their modules otherwise. @defaultValue the same name */
  readonly rename?: (name: string) => string;
}

/** Counts the batches that a batch norm has seen; plays no part with a fixed momentum. */
const COUNTER = 'num_batches_tracked';

/**
 * Gives a model the weights of a PyTorch checkpoint: of a ResNet of torchvision, or of the released code of *Robust Experts*.
 *
 * @remarks
 * The model must be the same network; it then gives the same logits to float tolerance, for images normalised as they were in training (`normalize` of
 * {@link resnet}). Kernels are turned from `[F,C,k,k]` to `[k,k,C,F]` and matrices from `[F,C]` to `[C,F]`. Experts are `PLACE.experts.N`, gates
 * `PLACE.gate.network`: `gapFc`, `convGap`, `doubleConvGap` and `fixedRandomGate` are its GAP-FC, Conv-GAP, double Conv-GAP and fixed random network. For K > 1 that code
 * normalises as `topKRouter` with `normalise: 'released'` does. Names without the prefix are left alone.
 *
 * @param tensors - a state dict, as {@link readSafetensors} gives it; `scripts/pt_to_safetensors.py` of this package converts a `.pt` or `.ckpt` file.
 * @throws {@link CheckpointError} if names, shapes or types disagree; the model is then as it was.
 * @see {@link https://github.com/KASTEL-MobilityLab/robust-sparse-moes | the released code}
 *
 * @example
 * const model = resnet({ depth: 18, stem: 'imagenet', classes: 1000, inputShape: [224, 224, 3], seed: 0, normalize });
 * loadTorchWeights(model, readSafetensors(await readFile('resnet18.safetensors')).tensors);
 */
export function loadTorchWeights(model: LayersModel, tensors: HostTensors, options: TorchWeightsOptions = {}): void {
  expectKnownKeys('loadTorchWeights', options, ['prefix', 'rename']);
  const { rename = (name) => name } = options;
  const nameOf = torchNames(model);
  const weights = modelWeights(model).map((weight) => ({ weight, source: rename(nameOf(weight.name)) }));
  const { prefix = shortestPrefix(tensors, weights[0]?.source ?? '') } = options;
  const arrivals = weights.map(({ weight, source }) => {
    const value = tensors.get(prefix + source);
    return { weight, source: prefix + source, value: value && fromTorch(value) };
  });
  const taken = new Set(arrivals.map(({ source }) => source));
  const left = [...tensors.keys()].filter((name) => name.startsWith(prefix) && !taken.has(name) && !name.endsWith(COUNTER));
  assignValues('loadTorchWeights', arrivals, left);
}

/** What stands before a name in the shortest of the names that end in it. */
function shortestPrefix(tensors: HostTensors, name: string): string {
  const prefixes = [...tensors.keys()].filter((key) => key === name || key.endsWith(`.${name}`)).map((key) => key.slice(0, key.length - name.length));
  return prefixes.reduce<string | undefined>((best, prefix) => (best === undefined || prefix.length < best.length ? prefix : best), undefined) ?? '';
}

/**
 * The weights of a model as a state dict of PyTorch: the inverse of {@link loadTorchWeights}.
 *
 * @returns Tensors that `load_state_dict` takes once {@link writeSafetensors} has written and `safetensors.torch.load_file` has read them.
 *
 * @example
 * await writeFile('resnet18.safetensors', writeSafetensors(torchWeights(model), { metadata: { format: 'pt' } }));
 */
export function torchWeights(model: LayersModel, options: TorchWeightsOptions = {}): HostTensors {
  expectKnownKeys('torchWeights', options, ['prefix', 'rename']);
  const { prefix = '', rename = (name) => name } = options;
  const nameOf = torchNames(model);
  return new Map([...weightValues(model)].map(([name, value]) => [prefix + rename(nameOf(name)), toTorch(value)]));
}
