// The suite on one finished model, clean and attacked.
import { apgd } from '@moe/attacks';
import { type Dataset, createRng } from '@moe/core';
import { toTensors } from '@moe/datasets';
import { type Tensor, type Tensor1D, dispose } from '@tensorflow/tfjs-core';
import type { Model } from '../model.js';
import type { Scale } from '../protocol.js';
import { type EnsembleView, ensembleView } from './ensemble-view.js';
import { type FunctionalDifference, functionalDifference } from './functional-difference.js';
import { type LayerSlopes, layerSlopes } from './local-lipschitz.js';
import { accuracyByPruning, accuracyByTopK } from './pruning.js';
import { accuracyByShare, accuracyPermuted } from './random-experts.js';
import { accuracyByShift } from './rank-shift.js';
import { type Transplant, transplant } from './transplant.js';

/** Accuracies with experts exchanged. */
export interface Exchanged {
  /** By how many ranks experts are shifted. */
  readonly shiftKept: readonly number[];
  readonly shiftOwn: readonly number[];
  /** By share of tokens that get random experts, as `shares`. */
  readonly random: readonly number[];
  readonly permuted: number;
  /** By number of experts removed. */
  readonly pruneLeast: readonly number[];
  readonly pruneMost: readonly number[];
  readonly pruneRandom: readonly number[];
  /** With 1 … E experts a token. */
  readonly topK: readonly number[];
}

export interface Redundancy {
  readonly eps: number;
  readonly images: number;
  readonly shares: readonly number[];
  readonly transplant: Transplant;
  readonly clean: Exchanged;
  readonly attacked: Exchanged;
  readonly ensemble: EnsembleView;
  readonly difference: readonly FunctionalDifference[];
}

type Options = Scale['redundancy'] & { readonly seed: number };

const SHARES = [0, 0.25, 0.5, 0.75, 1];
const DRAWS = 8;

const first = (data: Dataset, count: number) => data.read(Array.from({ length: Math.min(count, data.length) }, (_, i) => i));

/** Accuracies on clean images and on those that AutoPGD made of them for the model as it is. */
export async function measureRedundancy({ view, network, logits }: Model, data: Dataset, { eps, steps, images: count, looked, seed }: Options): Promise<Redundancy> {
  const [batch, few] = [await first(data, count), toTensors(await first(data, looked))];
  const { inputs, labels } = toTensors(batch);
  const rng = createRng(seed).stream('redundancy');
  const { adversarial, success, loss } = apgd({ eps, steps }).perturb(logits, inputs, labels as Tensor1D, { rng: rng.stream('attack'), exampleIds: batch.ids });
  const exchanged = (images: Tensor): Exchanged => ({
    shiftKept: accuracyByShift(view, images, batch.labels, 'kept'),
    shiftOwn: accuracyByShift(view, images, batch.labels, 'own'),
    random: accuracyByShare(view, images, batch.labels, SHARES, rng.stream('random')),
    permuted: accuracyPermuted(view, images, batch.labels, rng.stream('permuted')),
    pruneLeast: accuracyByPruning(view, images, batch.labels, 'least', rng),
    pruneMost: accuracyByPruning(view, images, batch.labels, 'most', rng),
    pruneRandom: accuracyByPruning(view, images, batch.labels, 'random', rng.stream('pruned')),
    topK: accuracyByTopK(network, images, batch.labels),
  });
  try {
    return {
      eps,
      images: batch.labels.length,
      shares: SHARES,
      transplant: transplant(view, inputs, adversarial, batch.labels),
      clean: exchanged(inputs),
      attacked: exchanged(adversarial),
      ensemble: ensembleView(view, inputs, DRAWS, rng.stream('ensemble')),
      difference: view.moeLayers.map(({ name }) => functionalDifference(network, name, few.inputs, rng.stream('pairs'))),
    };
  } finally {
    dispose([inputs, labels, adversarial, success, loss, few.inputs, few.labels]);
  }
}

/** How steep every second feed-forward layer is, which is where a V-MoE mixes. */
export async function measureSlopes({ network }: Model, data: Dataset, { looked, seed }: Options, depth: number): Promise<LayerSlopes[]> {
  const { inputs, labels } = toTensors(await first(data, looked));
  try {
    return Array.from({ length: depth }, (_, block) => block).filter((block) => block % 2 === 1).map((block) => layerSlopes(network, `block${block}.mlp`, inputs, createRng(seed).stream('slopes')));
  } finally {
    dispose([inputs, labels]);
  }
}
