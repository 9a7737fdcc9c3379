// Shapes: B batch, D = 4 features, H = 8 hidden, E = 3 experts, M = 2 classes.
import {
  type Scalar,
  type Tensor,
  type Tensor2D,
  add,
  argMax,
  cast,
  div,
  matMul,
  mean,
  mul,
  oneHot,
  pad,
  relu,
  reshape,
  scalar,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  tensor,
  tensor1d,
  tidy,
  variable,
} from '@tensorflow/tfjs-core';
import { type MoeModel, type Rng, type Weight, createRng, gatherRows, scatterAddRows } from '@moe/core';

export interface TestModel {
  readonly model: MoeModel;
  readonly weights: readonly Weight[];
  readonly values: () => Record<string, number[]>;
  readonly dispose: () => void;
}

function namedWeights(rng: Rng) {
  const weights: Weight[] = [];
  const make = (name: string, shape: number[], { value, trainable = true }: { value?: number; trainable?: boolean } = {}) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = value === undefined ? rng.stream(name).normal(size, 0, 0.5) : new Float32Array(size).fill(value);
    const weight = { name, trainable, variable: tidy(() => variable(tensor(data, shape), trainable)) };
    weights.push(weight);
    return weight.variable as Tensor;
  };
  return { weights, make };
}

const finish = (model: MoeModel, weights: readonly Weight[]): TestModel => ({
  model,
  weights,
  values: () => Object.fromEntries(weights.map(({ name, variable: v }) => [name, Array.from(v.dataSync())])),
  dispose: () => weights.forEach(({ variable: v }) => v.dispose()),
});

const EXPERTS = 3;

/** Dense, batch norm, a noisy top-1 MoE layer that runs only the chosen experts, dense: everything that a resume must restore. */
export function moeMlp(seed: number): TestModel {
  const { weights, make } = namedWeights(createRng(seed));
  const kernel = make('in/kernel', [4, 8]);
  const gamma = make('bn/gamma', [8], { value: 1 });
  const beta = make('bn/beta', [8], { value: 0 });
  make('bn/mean', [8], { value: 0, trainable: false });
  make('bn/variance', [8], { value: 1, trainable: false });
  const [runningMean, runningVariance] = weights.filter(({ trainable }) => !trainable).map(({ variable: v }) => v);
  const router = make('moe/router', [8, EXPERTS]);
  const experts = Array.from({ length: EXPERTS }, (_, e) => make(`moe/expert${e}`, [8, 8]));
  const head = make('out/kernel', [8, 2]);
  const bias = make('out/bias', [2], { value: 0 });

  const normalise = (x: Tensor2D, training: boolean, update: boolean): Tensor2D => {
    const m = training ? mean(x, 0) : runningMean!;
    const v = training ? mean(square(sub(x, m)), 0) : runningVariance!;
    if (update) {
      runningMean!.assign(add(mul(runningMean!, 0.9), mul(m, 0.1)));
      runningVariance!.assign(add(mul(runningVariance!, 0.9), mul(v, 0.1)));
    }
    return add(mul(div(sub(x, m), sqrt(add(v, 1e-3))), gamma), beta);
  };

  const model: MoeModel = {
    moeLayers: [{ name: 'moe', numExperts: EXPERTS, topK: 1, batchInvariant: true, continuous: false }],
    forward: (inputs, { training = false, updateStatistics = training, rng } = {}) =>
      tidy(() => {
        const rows = inputs.shape[0]!;
        const hidden = relu(normalise(matMul(reshape(inputs, [rows, 4]), kernel as Tensor2D), training, updateStatistics));
        const noise = training ? tensor(rng!.stream('moe').normal(rows * EXPERTS, 0, 0.1), [rows, EXPERTS]) : 0;
        const gateLogits = add<Tensor2D>(matMul(hidden, router as Tensor2D), noise);
        const gates = softmax(gateLogits);
        const choice = argMax(gates, 1).dataSync();
        const combineWeights = mul<Tensor2D>(cast(oneHot(tensor1d(Array.from(choice), 'int32'), EXPERTS), 'float32'), gates);
        const weight = reshape(sum(combineWeights, 1), [rows, 1]);
        const parts = experts.flatMap((expert, e) => {
          const mine = Array.from(choice.keys()).filter((row) => choice[row] === e);
          if (mine.length === 0) return [];
          const indices = tensor1d(mine, 'int32');
          return [scatterAddRows(relu(matMul(gatherRows(hidden, indices), expert as Tensor2D)), indices, rows)];
        });
        const mixed = mul<Tensor2D>(parts.reduce((a, b) => add(a, b)), weight);
        const logits = add<Tensor2D>(matMul(mixed, head as Tensor2D), bias);
        const auxLoss = mul<Scalar>(sum(square(mean(gates, 0))), 0.1);
        return { logits, routing: [{ layer: 'moe', gateLogits, gates, combineWeights, auxLoss: mul<Scalar>(auxLoss, 1), droppedFraction: 0 }], auxLoss };
      }),
  };
  return finish(model, weights);
}

/** Logits `[0, w·x + b]`, whose cross-entropy is the logistic loss; worst case and gradient are known in closed form. */
export function linearModel(w: readonly number[], b: number): TestModel {
  const { weights, make } = namedWeights(createRng(1));
  const kernel = make('w', [w.length, 1], { value: 0 });
  const bias = make('b', [1], { value: b });
  tidy(() => weights[0]!.variable.assign(tensor([...w], [w.length, 1])));
  const model: MoeModel = {
    moeLayers: [],
    forward: (inputs) =>
      tidy(() => {
        const score = add<Tensor2D>(matMul(reshape(inputs, [inputs.shape[0]!, w.length]), kernel as Tensor2D), bias);
        return { logits: pad(score, [[0, 0], [1, 0]]) as Tensor2D, routing: [], auxLoss: scalar(0) };
      }),
  };
  return finish(model, weights);
}

/** One hidden layer of ReLUs over inputs scaled from [0, 1] to [-2, 2], for learning tests. */
export function mlp(seed: number, features: number, width: number, classes: number): TestModel {
  const { weights, make } = namedWeights(createRng(seed));
  const first = make('first', [features, width]);
  const firstBias = make('first/bias', [width], { value: 0 });
  const second = make('second', [width, classes]);
  const secondBias = make('second/bias', [classes], { value: 0 });
  const model: MoeModel = {
    moeLayers: [],
    forward: (inputs) =>
      tidy(() => {
        const hidden = relu(add<Tensor2D>(matMul(mul<Tensor2D>(sub(reshape(inputs, [inputs.shape[0]!, features]), 0.5), 4), first as Tensor2D), firstBias));
        return { logits: add<Tensor2D>(matMul(hidden, second as Tensor2D), secondBias), routing: [], auxLoss: scalar(0) };
      }),
  };
  return finish(model, weights);
}

