// Shapes: T tokens, E experts.
import { type Rng, expectArgument } from '@moe/core';
import { type Tensor1D, type Tensor2D, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import type { RouteContext } from '../types.js';

/** Refuses to train a noisy router without a source of noise. */
export function expectRng(caller: string, { training, rng }: RouteContext, noisy: boolean): void {
  expectArgument(caller, 'context.rng', !training || !noisy || rng !== undefined, 'be given, because noise is on in training', rng);
}

/** N(0, 1) `[T,E]`; each row draws from its own stream, so its noise does not depend on the batch. */
export function rowNoise(rng: Rng, [numTokens, numExperts]: readonly [number, number]): Tensor2D {
  const noise = new Float32Array(numTokens * numExperts);
  for (let token = 0; token < numTokens; token++) noise.set(rng.at(token).normal(numExperts), token * numExperts);
  return tensor2d(noise, [numTokens, numExperts]);
}

/** U(0, 1), one number a row, `[T]`. */
export const rowUniforms = (rng: Rng, numTokens: number): Float32Array => Float32Array.from({ length: numTokens }, (_, token) => rng.at(token).uniform(1)[0]!);

/** The token mask as losses take it. */
export const maskTensor = ({ mask }: RouteContext): { readonly mask?: Tensor1D } => (mask === undefined ? {} : { mask: tensor1d(mask.map(Number)) });
