// Shapes: T tokens, E experts, K choices per token.
import { topKIndices } from '@moe/core';
import { type Tensor2D, mul } from '@tensorflow/tfjs-core';
import { type Capacity, capacityOf, dropOverCapacity } from '../capacity.js';
import { maskOfChoices } from '../losses/balance-option.js';
import type { RouteContext } from '../types.js';
import { softmaxWhere } from './build-plan.js';
import { expectFiniteGates } from './expect-context.js';

/** What holds of every router whose tokens choose K experts, on the host and within capacity. */
export const tokenChoiceFacts = ({ numExperts, topK, capacity }: { readonly numExperts: number; readonly topK: number; readonly capacity: Capacity | undefined }) => ({
  batchInvariant: capacity === undefined || capacity.evaluationFactor === Infinity,
  continuous: topK === numExperts && capacity === undefined,
  onHost: 'tokens choose',
});

/** What a router that lets each token choose its experts starts from. */
export interface Choosing {
  readonly caller: string;
  readonly topK: number;
  /** Scores that choose, `[T,E]`; experts that are not allowed have the smallest. */
  readonly scores: Tensor2D;
  readonly capacity: Capacity | undefined;
  /** Takes choices away before capacity does, on the host. */
  readonly thin?: (choices: Int32Array, scores: ArrayLike<number>) => Int32Array;
}

/** Choices of a batch. */
export interface Chosen {
  /** 1 where a token chose an expert, before anything was taken away, `[T,E]`. */
  readonly wished: Tensor2D;
  /** 1 where it also got it, `[T,E]`. */
  readonly kept: Tensor2D;
  /** One-hot of the first wish, `[T,E]`. */
  readonly first: Tensor2D;
  /** `kept` on the host. */
  readonly chosen: ArrayLike<number>;
  /** Number of wishes that only capacity could refuse. */
  readonly wanted: number;
}

/** Lets each token choose the K experts of highest score, and applies capacity; reads the scores once. */
export function chooseByToken({ caller, topK, scores, capacity, thin }: Choosing, { training, mask }: RouteContext): Chosen {
  const [numTokens, numExperts] = scores.shape;
  const values = scores.dataSync();
  expectFiniteGates(caller, values, numExperts);
  const best = topKIndices(values, numExperts, topK);
  const wishes = mask === undefined ? best : best.map((expert, i) => (mask[Math.floor(i / topK)] === true ? expert : -1));
  const thinned = thin === undefined ? wishes : thin(wishes, values);
  const factor = capacity === undefined ? Infinity : training ? capacity.factor : capacity.evaluationFactor;
  const kept =
    capacity === undefined || factor === Infinity
      ? thinned
      : dropOverCapacity(thinned, topK, values, numExperts, { capacity: capacityOf(numTokens * topK, numExperts, { factor, multipleOf: capacity.multipleOf }), priority: capacity.priority });
  const keptMask = maskOfChoices(kept, topK, numExperts);
  return {
    wished: maskOfChoices(wishes, topK, numExperts),
    kept: keptMask,
    first: maskOfChoices(wishes.filter((_, i) => i % topK === 0), 1, numExperts),
    chosen: keptMask.dataSync(),
    wanted: thinned.reduce((total, expert) => total + Number(expert >= 0), 0),
  };
}

/** Gates over the sum of the wished ones, where kept, `[T,E]`. */
export const renormalised = (logits: Tensor2D, { wished, kept }: Pick<Chosen, 'wished' | 'kept'>): Tensor2D => mul(softmaxWhere(logits, wished), kept);
