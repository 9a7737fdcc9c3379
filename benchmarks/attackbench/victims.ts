import { type Objective, cosine, pgdAdversarial, plainModel, sgd, standard, train } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { type LogitsFn, createRng } from '@moe/core';
import { batches } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { type Tensor, type Tensor2D, variable } from '@tensorflow/tfjs-core';
import { freshWeights, logitsOf } from '../pytorch/cnn28.js';
import type { NamedTensor } from '../pytorch/subject.js';

/** A trained network that is attacked. */
export interface Victim {
  readonly model: LogitsFn;
  readonly weights: readonly NamedTensor[];
  readonly dispose: () => void;
}

const BATCH = 128;

const OBJECTIVES = {
  standard: () => standard(),
  robust: () => pgdAdversarial({ attack: pgd({ eps: 0.1, steps: 3, stepSize: 0.05, goal: 'maxLoss' }), batchNorm: 'running' }),
} satisfies Record<string, () => Objective>;

export type Training = keyof typeof OBJECTIVES;

/** Trains the small network of two convolutions on Fashion-MNIST, for as many epochs; the same weights each time on one engine. */
export async function trainVictim(kind: Training, epochs: number): Promise<Victim> {
  const weights = freshWeights(createRng(1)).map(([name, weight]) => ({ name, variable: variable(weight), trainable: true }));
  const model = (images: Tensor): Tensor2D => logitsOf(weights.map((weight) => weight.variable), images);
  const data = await fashionMnist({ split: 'train' });
  await train({
    model: plainModel(model),
    weights,
    data: (epoch) => batches(data, { batchSize: BATCH, rng: createRng(2), epoch }),
    batchesPerEpoch: Math.ceil(data.length / BATCH),
    epochs,
    objective: OBJECTIVES[kind](),
    optimizer: sgd({ momentum: 0.9 }),
    schedule: cosine({ base: 0.05 }),
    seed: 1,
  });
  return {
    model,
    weights: weights.map(({ name, variable: value }) => ({ name, shape: value.shape, values: Float32Array.from(value.dataSync()) })),
    dispose: () => weights.forEach(({ variable: value }) => value.dispose()),
  };
}
