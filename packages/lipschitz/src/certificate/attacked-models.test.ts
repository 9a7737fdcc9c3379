// Gradient attacks on whole models: what is certified withstands them, and they are no straw men. Shapes: B rows, D inputs, M classes.
import { createRng } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, add, div, grad, max, maximum, minimum, mul, oneHot, reshape, sign, sqrt, square, sub, sum, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { AolConv2D } from '../layers/aol-conv.js';
import { CayleyDense } from '../layers/cayley-dense.js';
import { lipschitzMlp } from '../layers/lipschitz-mlp.js';
import { SllConv2D } from '../layers/sll-conv.js';
import { describeLayersModel } from '../layers-model/describe-layers-model.js';
import { crownBounds } from '../local/crown.js';
import { logitDifferenceBounds } from '../network/logit-differences.js';
import { marginCertificate } from './margin-certificate.js';

const B = 8;
const M = 3;
const STEPS = 6;

const inputsOf = (model: LayersModel, seed: number): Tensor2D => tidy(() => reshape(tensor(createRng(seed).uniform(B * sizeOf(model))), [B, -1]));
const sizeOf = (model: LayersModel): number => (model.inputs[0]!.shape.slice(1) as number[]).reduce((a, b) => a * b, 1);
const logitsOf = (model: LayersModel, x: Tensor): Tensor2D => model.apply(reshape(x, [x.shape[0]!, ...(model.inputs[0]!.shape.slice(1) as number[])])) as Tensor2D;

/** For each row, the smallest margin of its class over the largest other that projected gradient descent finds within the row's radius. */
function smallestMargins(model: LayersModel, x: Tensor2D, classes: readonly number[], radii: readonly number[], norm: 'L2' | 'Linf'): Float32Array {
  const found = tidy(() => {
    const radius = tensor([...radii], [B, 1]);
    const own = oneHot(tensor1d([...classes], 'int32'), M);
    const margins = (at: Tensor): Tensor => {
      const logits = logitsOf(model, at);
      return sub(sum(mul(logits, own), 1), max(sub(logits, mul(own, 1e6)), 1));
    };
    const slope = grad((at: Tensor) => sum(margins(at)) as Scalar);
    const length = (v: Tensor): Tensor => sqrt(add(sum(square(v), 1, true), 1e-20));
    let step: Tensor = mul(x, 0);
    let best: Tensor = margins(x);
    for (let k = 0; k < STEPS; k++) {
      const downhill = slope(add(x, step));
      const direction = norm === 'L2' ? div(downhill, length(downhill)) : sign(downhill);
      const moved = sub(step, mul(direction, mul(radius, k < STEPS / 2 ? 0.6 : 0.2)));
      step = norm === 'L2' ? mul(moved, minimum(1, div(radius, length(moved)))) : maximum(minimum(moved, radius), mul(radius, -1));
      best = minimum(best, margins(add(x, step)));
    }
    return best;
  });
  const values = found.dataSync<'float32'>().slice();
  found.dispose();
  return values;
}

function predictions(model: LayersModel, x: Tensor2D): { classes: number[]; logits: number[][] } {
  const logits = tidy(() => logitsOf(model, x).arraySync());
  return { logits, classes: logits.map((row) => row.indexOf(Math.max(...row))) };
}

/** Rounding of logits in float32. */
const SLACK = 2e-6;

describe('certificates of 1-Lipschitz networks', () => {
  it.each([
    ['a perceptron by Cayley', () => lipschitzMlp({ inputShape: [10], hidden: [12], units: M, seed: 1 })],
    ['a perceptron by AOL', () => lipschitzMlp({ inputShape: [10], hidden: [16], units: M, kind: 'aol', seed: 2 })],
    ['convolutions', () => sequential({ layers: [new AolConv2D({ filters: 4, kernelSize: 3, strides: 2, inputShape: [4, 4, 1], seed: 3 }), new SllConv2D({ kernelSize: 3, seed: 4 }), layers.flatten(), new CayleyDense({ units: M, seed: 5 })] })],
  ] as const)('hold under projected gradient descent: %s', (_, build) => {
    const model = build();
    const x = inputsOf(model, 6);
    const { classes, logits } = predictions(model, x);
    const between = logitDifferenceBounds(describeLayersModel(model));
    const radii = classes.map((own, b) => {
      const rivals = [...logits[b]!.keys()].filter((c) => c !== own);
      return marginCertificate({ margins: rivals.map((c) => logits[b]![own]! - logits[b]![c]!), bounds: rivals.map((c) => between(own, c)) }).radius;
    });
    expect(Math.min(...radii)).toBeGreaterThan(0);
    const within = smallestMargins(model, x, classes, radii, 'L2');
    expect(Math.min(...within)).toBeGreaterThan(-SLACK);
    const beyond = smallestMargins(model, x, classes, radii.map((radius) => 3 * radius), 'L2');
    expect(beyond.filter((margin) => margin < 0).length).toBeGreaterThanOrEqual(B / 4);
    model.dispose();
    x.dispose();
  });
});

describe('local bounds', () => {
  it.each(['L2', 'Linf'] as const)('are below what projected gradient descent finds in %s, and not far', (norm) => {
    const dense = (units: number, seed: number) => layers.dense({ units, activation: 'relu', kernelInitializer: initializers.glorotNormal({ seed }), biasInitializer: initializers.randomNormal({ stddev: 0.1, seed }) });
    const model = sequential({ layers: [layers.inputLayer({ inputShape: [8] }), dense(16, 1), dense(16, 2), layers.dense({ units: M, kernelInitializer: initializers.glorotNormal({ seed: 3 }) })] });
    const network = describeLayersModel(model);
    const x = inputsOf(model, 7);
    const { classes, logits } = predictions(model, x);
    const rows = tidy(() => x.arraySync());
    const reached: number[] = [];
    for (const radius of [0.002, 0.2]) {
      const found = smallestMargins(model, x, classes, new Array<number>(B).fill(radius), norm);
      rows.forEach((center, b) => {
        const { lower } = crownBounds(network, { center, radius, norm }, { margin: classes[b]! });
        const rivals = [...logits[b]!.keys()].filter((c) => c !== classes[b]);
        const [clean, least] = [Math.min(...rivals.map((c) => logits[b]![classes[b]!]! - logits[b]![c]!)), Math.min(...rivals.map((c) => lower[c]!))];
        expect(found[b]!).toBeGreaterThanOrEqual(least - SLACK);
        if (radius < 0.1) reached.push((clean - found[b]!) / (clean - least));
      });
    }
    // Near most inputs the network is linear, and the bound is reached.
    expect(reached.filter((share) => share > 0.9).length).toBeGreaterThan(B / 2);
    model.dispose();
    x.dispose();
  });
});
