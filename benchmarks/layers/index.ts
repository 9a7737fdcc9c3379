import { crossEntropy } from '@moe/adv-train';
import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import { createRng } from '@moe/core';
import { countMacs, modelWeights, moeModel, resnet, vit, vitFromName } from '@moe/layers';
import { gapFc, topKRouter, vMoeRouter } from '@moe/router';
import { type Scalar, type Tensor4D, dispose, tensor1d, tensor4d, tidy, train } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Benchmark, MeasuredRow } from '../benchmark.js';
import { type Task, interleave } from '../timing.js';

const CLASSES = 10;
/** Allowed time beyond what the multiply-adds explain. */
const LIMIT = 1.15;

/** A forward pass in evaluation mode, and a training step with gradient descent. */
function tasksOf(network: LayersModel, images: Tensor4D): { forward: Task; trainingStep: Task } {
  const model = moeModel(network);
  const labels = tensor1d(Array.from({ length: images.shape[0] }, (_, i) => i % CLASSES), 'int32');
  const weights = modelWeights(network).flatMap(({ variable, trainable }) => (trainable ? [variable] : []));
  const optimizer = train.sgd(1e-3);
  return {
    forward: () => tidy(() => void model.forward(images)),
    trainingStep: () => tidy(() => void optimizer.minimize(() => crossEntropy(model.forward(images, { training: true }).logits, labels) as Scalar, false, weights)),
  };
}

/** A network with experts against the dense one; the limit of a row is the ratio of their multiply-adds and 15 %. */
async function* compare(name: string, networks: readonly [ours: LayersModel, theirs: LayersModel], batch: number, rounds: number, tasks: readonly ('forward' | 'trainingStep')[]): AsyncGenerator<MeasuredRow> {
  const [, height, width, channels] = networks[0].inputs[0]!.shape as [null, number, number, number];
  const images = tensor4d(createRng(1).uniform(batch * height * width * channels), [batch, height, width, channels]);
  const sides = networks.map((network) => tasksOf(network, images));
  const limit = (countMacs(networks[0]) / countMacs(networks[1])) * LIMIT;
  for (const task of tasks) {
    const [ours, theirs] = interleave(sides.map((side) => side[task]), rounds) as [number, number];
    yield { name: `${name}/${task === 'forward' ? 'forward' : 'training-step'}`, ours, theirs, unit: 'ms', limit };
  }
  dispose(images);
  for (const network of networks) network.dispose();
}

/** Whole networks with mixtures of experts, on each engine that is installed. */
const layers: Benchmark = async function* ({ quick, engine: only }) {
  for (const engine of ['wasm', 'tensorflow'] as const) {
    if ((only ?? engine) !== engine || (engine === 'tensorflow' && findTensorflow() === undefined)) continue;
    await useBackend(engine, engine === 'tensorflow' ? { threads: 1 } : {});
    const rounds = quick ? 2 : 4;

    const convolutional = { depth: 18, width: quick ? 32 : 64, stem: 'cifar', classes: CLASSES, inputShape: [32, 32, 3], seed: 1 } as const;
    const top1 = topKRouter({ numExperts: 4, topK: 1, gate: gapFc() });
    const blocks = resnet({ ...convolutional, moe: { at: 'layer4', kind: 'block', router: top1 } });
    yield* compare(`${engine}/resnet18-block-moe`, [blocks, resnet(convolutional)], quick ? 8 : 32, rounds, ['forward', 'trainingStep']);

    const { moe, ...shape } = vitFromName('ViT-S/32, E=8, K=2, Last 2');
    const transformer = { ...shape, classes: CLASSES, inputShape: [224, 224, 3], seed: 1 } as const;
    const router = vMoeRouter({ numExperts: moe!.numExperts, topK: moe!.topK, gate: gapFc({ bias: false }) });
    yield* compare(`${engine}/v-moe-s32`, [vit({ ...transformer, moe: { layers: moe!.layers, router } }), vit(transformer)], quick ? 4 : 16, rounds, ['forward']);
  }
};

export default layers;
