import { type Tensor, type Tensor2D, add, customGrad, matMul, relu, reshape, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import type { LogitsFn } from '@moe/core';

const flat = (x: Tensor): Tensor2D => reshape(x, [x.shape[0]!, x.size / x.shape[0]!]);

/** Logits `W x + b` of the flattened input; `weights` is `[D,M]`. */
export function linearModel(weights: number[][], bias: number[]): LogitsFn {
  return (x) => add(matMul(flat(x), tensor2d(weights)), tensor1d(bias)) as Tensor2D;
}

/** A random two-layer network with a kink, `[B,…] → [B,classes]`, the same for the same seed. */
export function tinyNet(inputSize: number, classes: number, seed: number, hidden = 12): LogitsFn {
  const rng = createRng(seed);
  const first = rng.normal(inputSize * hidden, 0, 2 / Math.sqrt(inputSize));
  const offset = rng.normal(hidden, 0, 0.5);
  const second = rng.normal(hidden * classes, 0, 2 / Math.sqrt(hidden));
  return (x) => {
    const features = relu(add(matMul(add(flat(x), -0.5) as Tensor2D, tensor2d(first, [inputSize, hidden])), tensor1d(offset)));
    return matMul(features as Tensor2D, tensor2d(second, [hidden, classes]));
  };
}

/** The model's own predictions, as labels that are right from the start. */
export function predictions(model: LogitsFn, inputs: Tensor): Int32Array {
  const logits = model(inputs);
  const classes = logits.shape[1];
  const values = logits.dataSync();
  return Int32Array.from({ length: logits.shape[0] }, (_, row) => {
    const scores = Array.from(values.subarray(row * classes, (row + 1) * classes));
    return scores.indexOf(Math.max(...scores));
  });
}

/** Counts forward passes, backward passes and rows of a model. */
export function counted(model: LogitsFn) {
  const counts = { forward: 0, backward: 0, rows: [] as number[] };
  const wrapped: LogitsFn = (x, draw) => {
    counts.forward++;
    counts.rows.push(x.shape[0]!);
    const watched = customGrad((input) => ({
      value: (input as Tensor).clone(),
      gradFunc: (dy) => {
        counts.backward++;
        return dy as Tensor;
      },
    }))(x);
    return model(watched, draw);
  };
  return { counts, wrapped };
}
