// Shapes: B images, M classes, E experts.
import { type SoundBound, createRng } from '@moe/core';
import { CustomMoe, modelWeights } from '@moe/layers';
import { describeLayersModel, lipschitzMlp, disagreementPenalty, gramNorm, localDisagreement, logitDifferenceBounds, marginCertificate, scoreDifferenceBound, softmaxMixtureBound } from '@moe/lipschitz';
import { gapFc, softmaxRouter } from '@moe/router';
import { type Scalar, type Tensor, type Tensor2D, type Variable, add, mul, sqrt, tidy } from '@tensorflow/tfjs-core';
import { type LayersModel, type SymbolicTensor, input, layers, model } from '@tensorflow/tfjs-layers';
import type { CertifiedPrediction } from './certificates.js';

/** A softmax mixture of 1-Lipschitz experts behind a linear router on the pixels. */
export interface Mixture {
  readonly network: LayersModel;
  readonly experts: readonly LayersModel[];
}

export function buildMixture(numExperts: number, seed: number): Mixture {
  const seedOf = (expert: number): number => createRng(seed).stream('expert').at(expert).nextSeed();
  const experts = Array.from({ length: numExperts }, (_, e) => lipschitzMlp({ inputShape: [28, 28, 1], hidden: [64, 64], units: 10, kind: 'aol', seed: seedOf(e) }));
  const image = input({ shape: [28, 28, 1] });
  const moe = new CustomMoe({ name: 'moe', expert: (index) => experts[index]!, router: softmaxRouter({ numExperts, gate: gapFc() }), seed });
  return { network: model({ inputs: image, outputs: moe.apply([image, layers.flatten().apply(image) as SymbolicTensor]) as SymbolicTensor }), experts };
}

/** The router's kernel, pixels by experts. */
const routerKernel = ({ network }: Mixture): Variable => modelWeights(network).find(({ name }) => name === 'moe/router/kernel')!.variable;

/**
 * How steep the mixture is around a batch, differentiable, for training: 1 of its experts, and what the router adds where they disagree.
 *
 * @remarks
 * The router adds at most the product of two standard deviations under the gates, of outputs and of scores; those of scores lie within a length of √2 times the norm of the kernel.
 */
export const steepness = (mixture: Mixture, images: Tensor): Scalar =>
  tidy(() => {
    const spread = sqrt(add(disagreementPenalty(mixture.experts.map((expert) => expert.apply(images) as Tensor2D)), 1e-12));
    return add(1, mul(spread, mul(gramNorm(routerKernel(mixture) as Tensor as Tensor2D), Math.SQRT1_2)));
  });

const HALVINGS = 40;

/** The largest radius that `certify` makes of a ball of that radius: bounds grow with the ball, so where it no longer reaches its border there is none beyond. */
function largestRadius(certify: (ball: number) => number, longest: number): number {
  let [low, high] = [0, longest];
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    if (certify(middle) >= middle) low = middle;
    else high = middle;
  }
  return certify(low);
}

/**
 * Certificates of a mixture: each margin over what experts, their disagreement in the ball and the router let it change.
 *
 * @param longest - L2 radius beyond which nothing is asked.
 */
export function mixtureCertificates(mixture: Mixture, images: Tensor, longest: number): CertifiedPrediction[] {
  const { network, experts } = mixture;
  const [logits, ...parts] = [network, ...experts].map((each) => tidy(() => (each.apply(images) as Tensor).arraySync())) as [number[][], ...number[][][]];
  const between = experts.map((expert) => logitDifferenceBounds(describeLayersModel(expert)));
  const router = scoreDifferenceBound({ kernel: routerKernel(mixture) });
  return logits.map((row, i) => {
    const prediction = row.indexOf(Math.max(...row));
    const rivals = [...row.keys()].filter((c) => c !== prediction).map((c) => ({ margin: row[prediction]! - row[c]!, outputs: parts.map((part) => [part[i]![prediction]! - part[i]![c]!]), slopes: between.map((of) => of(prediction, c)) }));
    const boundIn = (radius: number, { outputs, slopes }: (typeof rivals)[number]): SoundBound => softmaxMixtureBound({ experts: slopes, disagreement: localDisagreement({ outputs, experts: slopes, radius }), router });
    const certify = (ball: number): number => marginCertificate({ margins: rivals.map(({ margin }) => margin), bounds: rivals.map((rival) => boundIn(ball, rival)) }).radius;
    return { prediction, radius: largestRadius(certify, longest) };
  });
}
