import { type SingleObjective, adam, cosine, crossEntropy, train } from '@moe/adv-train';
import { createRng } from '@moe/core';
import { batches, take } from '@moe/datasets';
import { fashionMnist } from '@moe/datasets/node';
import { modelWeights, moeModel } from '@moe/layers';
import { AolConv2D, CayleyDense, GroupSort, marginPenalty } from '@moe/lipschitz';
import { type Scalar, type Tensor, add, mul } from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { type Mixture, buildMixture, steepness } from './mixture.js';
import type { Options } from './options.js';

const BATCH = 128;
/** Logits of a 1-Lipschitz network lie close together; cross-entropy sees them so many times larger. */
const SCALE = 2;
/** L2 radius that training asks for. */
const RADIUS = 1.5;

/** A classifier of 28×28 images that no layer of which stretches anything. */
function certifiedNetwork(seed: number): LayersModel {
  const seedOf = (layer: number): number => createRng(seed).stream('layer').at(layer).nextSeed();
  return sequential({
    layers: [
      new AolConv2D({ filters: 16, kernelSize: 4, strides: 2, inputShape: [28, 28, 1], seed: seedOf(0) }),
      new GroupSort(),
      layers.flatten(),
      new CayleyDense({ units: 128, seed: seedOf(1) }),
      new GroupSort(),
      new CayleyDense({ units: 64, seed: seedOf(2) }),
      new GroupSort(),
      new CayleyDense({ units: 10, seed: seedOf(3) }),
    ],
  });
}

/** Cross-entropy of enlarged logits, and what the certificates lack of the radius. */
const certifiable = (lipschitz: (images: Tensor) => number | Scalar): SingleObjective => ({
  name: 'certifiable',
  options: { scale: SCALE, radius: RADIUS },
  loss: (model, inputs, { labels }) => {
    const { logits, routing } = model.forward(inputs, { training: true });
    const [ce, margin] = [crossEntropy(mul(logits, SCALE), labels), marginPenalty(logits, labels, { radius: RADIUS, lipschitz: lipschitz(inputs) })];
    return { total: add(ce, margin), terms: { ce, margin }, logits, routing };
  },
});

/** A network whose Lipschitz constant is 1, or a mixture of such, trained on Fashion-MNIST; the caller disposes it. */
export async function trainModel({ experts, trainImages, epochs, seed }: Pick<Options, 'experts' | 'trainImages' | 'epochs' | 'seed'>, tell: (line: string) => void): Promise<LayersModel | Mixture> {
  const trained = experts === 1 ? certifiedNetwork(seed) : buildMixture(experts, seed);
  const network = 'experts' in trained ? trained.network : trained;
  const data = take(await fashionMnist({ split: 'train' }), trainImages);
  await train({
    model: moeModel(network),
    weights: modelWeights(network),
    data: (epoch) => batches(data, { batchSize: BATCH, rng: createRng(seed), epoch }),
    batchesPerEpoch: Math.ceil(data.length / BATCH),
    epochs,
    objective: certifiable((images) => ('experts' in trained ? steepness(trained, images) : 1)),
    optimizer: adam(),
    schedule: cosine({ base: 2e-3 }),
    seed,
    onEvent: (event) => {
      if (event.type === 'epoch') tell(`trained ${event.record.epoch + 1} of ${event.epochs} epochs, loss ${event.record.loss.toFixed(3)}`);
    },
  });
  return trained;
}
