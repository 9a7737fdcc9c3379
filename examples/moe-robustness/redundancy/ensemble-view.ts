// The model as an ensemble over random routes: how much its answers depend on which experts run.
import type { MoeModel, Rng } from '@moe/core';
import { type Tensor, argMax, tidy } from '@tensorflow/tfjs-core';
import { drawn } from './random-experts.js';
import { rerouted } from './reroute.js';

export interface EnsembleView {
  /** Root mean square of what logits vary by over random routes. */
  readonly withinDeviation: number;
  /** The same over images, of the mean over routes: what within is to be compared with. */
  readonly betweenDeviation: number;
  /** Mean share of routes that agree with the most frequent class of an image. */
  readonly agreement: number;
}

/** Passes over the same images, every token to random experts in each. */
export function ensembleView(view: MoeModel, images: Tensor, draws: number, rng: Rng): EnsembleView {
  const passes = Array.from({ length: draws }, (_, draw) => tidy(() => {
    const logits = rerouted(view, images, drawn(1, rng.at(draw)));
    return { logits: logits.dataSync() as Float32Array, predictions: argMax(logits, 1).dataSync() };
  }));
  const [count, examples] = [passes[0]!.logits.length, passes[0]!.predictions.length];
  const classes = count / examples;
  const means = Float64Array.from({ length: count }, (_, at) => passes.reduce((sum, { logits }) => sum + logits[at]! / draws, 0));
  const within = passes.reduce((sum, { logits }) => logits.reduce((total, value, at) => total + (value - means[at]!) ** 2, sum), 0) / (count * draws);
  const centres = Float64Array.from({ length: classes }, (_, c) => Array.from({ length: examples }, (__, i) => means[i * classes + c]!).reduce((a, b) => a + b, 0) / examples);
  const between = means.reduce((sum, value, at) => sum + (value - centres[at % classes]!) ** 2, 0) / count;
  const agreement = Array.from({ length: examples }, (_, i) => {
    const votes = new Array<number>(classes).fill(0);
    for (const { predictions } of passes) votes[predictions[i]!]! += 1;
    return Math.max(...votes) / draws;
  });
  return { withinDeviation: Math.sqrt(within), betweenDeviation: Math.sqrt(between), agreement: agreement.reduce((a, b) => a + b, 0) / examples };
}
