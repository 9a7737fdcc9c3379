// Shapes: B batch, H W pixels, C channels, M classes, T tokens, E experts.
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { Rng } from '../rng/rng.js';

/** Smallest and largest value of an input, in the unit of the input. */
export type Bounds = readonly [low: number, high: number];

/** Where a randomised model takes its noise from in one pass; whoever runs it decides, so that results can be repeated. */
export interface Draw {
  /** Fresh for every pass, and the same for all of its rows. */
  readonly rng: Rng;
  /** Identity of each row, `[B]`: `rng.at(exampleIds[row])` gives a row noise of its own that does not depend on its batch. */
  readonly exampleIds: ArrayLike<number>;
}

/**
 * A differentiable classifier in evaluation mode: inputs `[B, …]` within `bounds` → logits `[B,M]`, not softmaxed.
 *
 * @remarks
 * Everything that attacks or bounds a model takes this. Normalisation belongs inside. It must not change weights or statistics,
 * and the returned tensor belongs to the caller. A randomised model takes its noise from `draw`, which attacks pass on every call that is not compiled;
 * all others leave it out.
 */
export type LogitsFn = (inputs: Tensor, draw?: Draw) => Tensor2D;

/** Which experts may be chosen, by expert index. */
export type ExpertMask = readonly boolean[];

/**
 * Where the gradient of an MoE layer's output reaches its gate; the values are the same for all.
 *
 * @remarks
 * `'hard'`: as in training, for top-k through the weights of the chosen experts. `'detached'`: nowhere, the weights are constants. A temperature: through a softmax of scores / temperature
 * over all experts, each of which then runs on every row; where `relative`, the temperature counts in standard deviations of the row's own scores.
 */
export type GateGradient = 'hard' | 'detached' | { readonly temperature: number; readonly relative?: boolean };

/** What a model says about one of its MoE layers before it runs. */
export interface MoeLayerInfo {
  readonly name: string;
  readonly numExperts: number;
  readonly topK: number;
  /** Whether the result for a row depends on that row alone (in evaluation mode). */
  readonly batchInvariant: boolean;
  /** Whether the output is a continuous function of the input. */
  readonly continuous: boolean;
}

/** How a caller steers a forward pass. */
export interface ForwardOptions {
  /** Batch statistics, router noise and capacity as in training. @defaultValue false */
  readonly training?: boolean;
  /** Whether a training pass moves the running statistics of batch norm. @defaultValue the value of `training` */
  readonly updateStatistics?: boolean;
  /** Source of router noise; required by noisy routers while training. */
  readonly rng?: Rng;
  /**
   * By layer name: one expert for every row with weight 1, the gate not evaluated; the experts among which the router may choose; or the combine weights `[T,E]` of another pass, the gate not
   * evaluated either.
   */
  readonly experts?: Readonly<Record<string, number | ExpertMask | Tensor2D>>;
  /** @defaultValue 'hard' */
  readonly gate?: GateGradient;
}

/** What one MoE layer did in a forward pass; tensors belong to whoever called `forward`. */
export interface Routing {
  readonly layer: string;
  /** Router scores before the softmax, `[T,E]`. */
  readonly gateLogits: Tensor2D;
  /** Router probabilities, `[T,E]`. */
  readonly gates: Tensor2D;
  /** Weight of each expert in each row's output, zero where not chosen, `[T,E]`. */
  readonly combineWeights: Tensor2D;
  /** Weighted balance loss of this layer. */
  readonly auxLoss: Scalar;
  /** Share of (row, choice) pairs that capacity dropped, in `[0, 1]`. */
  readonly droppedFraction: number;
}

/** Result of {@link MoeModel.forward}; the caller disposes every tensor in it. */
export interface ForwardResult {
  readonly logits: Tensor2D;
  /** One entry per MoE layer that evaluated its gate, in execution order; a layer with a fixed expert or given weights has none. */
  readonly routing: readonly Routing[];
  /** Sum of the layers' balance losses; 0 without MoE layers. */
  readonly auxLoss: Scalar;
}

/** A classifier that also tells, in the same forward pass, what its MoE layers did, and lets the caller steer them. */
export interface MoeModel {
  readonly moeLayers: readonly MoeLayerInfo[];
  forward(inputs: Tensor, options?: ForwardOptions): ForwardResult;
}

/**
 * A classifier as a function that brings the model it was made of, for attacks on its routing.
 *
 * @remarks
 * What counts is the function; `moe` says how it came to its answer, and steers copies of the pass. With no options, `moe.forward` must give the same logits.
 */
export interface MoeLogitsFn extends LogitsFn {
  readonly moe: MoeModel;
}
