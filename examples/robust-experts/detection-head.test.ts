// Experts in a detection head, as in the predecessor (arXiv 2204.10598): one head for every level of a feature pyramid, its gate asked for each image at each level.
import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { CustomMoe, modelWeights, moeModel } from '@moe/layers';
import { type Scalar, add, mean, square, tensor, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, initializers, input, layers, model, sequential } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from './config.js';
import { routerOf } from './router.js';

/** Kernel, bias, and the scale of the noise. */
const GATE_WEIGHTS = 3;
const [E, K, CHANNELS, PER_CELL, IMAGES] = [4, 2, 6, 4, 3];
/** Cells of the two levels of an image of 16 × 16. */
const CELLS = [8 * 8, 4 * 4];

const conv = (filters: number, strides: number, seed: number, more: object = {}) =>
  layers.conv2d({ filters, kernelSize: 3, strides, padding: 'same', kernelInitializer: initializers.heNormal({ seed }), ...more });

/** A backbone that is not trained, its pyramid, and the head: classes of all cells of all levels. */
function detector(): LayersModel {
  const parsed = parseConfig('quick', { moe: { numExperts: E, topK: K, router: 'noisy-top-k', balanceWeight: 0.25 } });
  if ('problem' in parsed) throw new Error(parsed.problem.message);
  const expert = (index: number) => sequential({ layers: [conv(CHANNELS, 1, 10 + index, { inputShape: [null, null, CHANNELS], activation: 'relu' }), conv(PER_CELL, 1, 20 + index)] });
  const head = new CustomMoe({ name: 'head', expert, router: routerOf('kl', parsed.config.moe), seed: 1 });
  const image = input({ shape: [16, 16, 3] });
  const fine = conv(CHANNELS, 2, 1, { activation: 'relu', trainable: false }).apply(image) as SymbolicTensor;
  const coarse = conv(CHANNELS, 2, 2, { activation: 'relu', trainable: false }).apply(fine) as SymbolicTensor;
  const levels = [fine, coarse].map((level) => layers.flatten().apply(head.apply(level) as SymbolicTensor) as SymbolicTensor);
  return model({ inputs: image, outputs: layers.concatenate().apply(levels) as SymbolicTensor });
}

describe('a detection head of experts', () => {
  beforeAll(async () => void (await useBackend('cpu')));
  const images = () => tensor(createRng(3).uniform(IMAGES * 16 * 16 * 3), [IMAGES, 16, 16, 3]);

  it('has its experts once, and one loss over all levels', () => {
    const network = detector();
    // A kernel and a bias of each of two convolutions, and those of the gate.
    expect(network.getLayer('head').trainableWeights).toHaveLength(E * 4 + GATE_WEIGHTS);
    const { routing, auxLoss } = moeModel(network).forward(images());
    expect(routing.map(({ layer, combineWeights }) => [layer, ...combineWeights.shape])).toEqual([['head', IMAGES, E], ['head', IMAGES, E]]);
    const [fine, coarse] = routing.map((level) => level.auxLoss.dataSync()[0]!);
    expect(auxLoss.dataSync()[0]).toBeCloseTo(fine! + coarse!, 6);
    expect(Math.min(fine!, coarse!)).toBeGreaterThan(0);
  });

  it('gives every cell what the experts of its level and image give, weighted by the gate', () => {
    const view = moeModel(detector());
    const { logits, routing } = view.forward(images());
    const found = logits.dataSync();
    const alone = Array.from({ length: E }, (_, expert) => view.forward(images(), { experts: { head: expert } }).logits.dataSync());
    const width = found.length / IMAGES;
    // tfjs runs the level that was joined last first.
    const levelOf = (at: number): number => (at < CELLS[0]! * PER_CELL ? 1 : 0);
    expect(width).toBe((CELLS[0]! + CELLS[1]!) * PER_CELL);
    const weights = routing.map(({ combineWeights }) => combineWeights.dataSync());
    for (let i = 0; i < found.length; i++) {
      const [image, level] = [Math.floor(i / width), levelOf(i % width)];
      const expected = alone.reduce((sum, values, expert) => sum + weights[level]![image * E + expert]! * values[i]!, 0);
      expect(found[i]).toBeCloseTo(expected, 5);
    }
    // Two experts serve an image at a level, and each level has weights of its own.
    for (const level of weights) expect(Array.from({ length: IMAGES }, (_, image) => level.slice(image * E, image * E + E).filter((weight) => weight > 0).length)).toEqual([K, K, K]);
    expect(weights[0]).not.toEqual(weights[1]);
  });

  it('is trained with its gate, the backbone frozen', () => {
    const network = detector();
    const names = new Set(network.trainableWeights.map(({ originalName }) => originalName));
    const trainable = modelWeights(network).filter(({ name }) => names.has(name));
    expect(trainable).toHaveLength(E * 4 + GATE_WEIGHTS);
    const { grads } = variableGrads(() => tidy(() => {
      const { logits, auxLoss } = moeModel(network).forward(images(), { training: true, rng: createRng(1) });
      return add(mean(square(logits)), auxLoss) as Scalar;
    }), trainable.map(({ variable }) => variable));
    const moved = trainable.filter(({ variable }) => grads[variable.name]?.dataSync().some((value) => value !== 0) ?? false);
    const ofGate = moved.filter(({ name }) => name.includes('router'));
    expect(ofGate.length).toBeGreaterThan(0);
    expect(moved.length - ofGate.length).toBeGreaterThanOrEqual(K * 4);
  });
});
