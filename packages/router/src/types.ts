// Shapes: T tokens (rows), E experts, N = rows that run.
import type { ExpertMask, Rng } from '@moe/core';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';

/** A weight that a gate network or router asks its owner to create. */
export interface InitialWeight {
  /** Starting value; the owner of the weight disposes it after copying. */
  readonly value: Tensor;
  readonly trainable: boolean;
}

export type InitialWeights = Readonly<Record<string, InitialWeight>>;
export type Weights = Readonly<Record<string, Tensor>>;

/** Maps the input of an MoE layer to router scores; a pure function of its weights. */
export interface GateNetwork {
  readonly name: string;
  /** Plain JSON, enough to make the same network again. */
  readonly options: Readonly<Record<string, unknown>>;
  /** @param inputShape - shape of one row, e.g. `[H, W, C]` or `[D]`. */
  init(inputShape: readonly number[], numExperts: number, rng: Rng): InitialWeights;
  /** @returns Scores before the softmax, `[T,E]`, differentiable in inputs and weights. */
  logits(weights: Weights, inputs: Tensor): Tensor2D;
}

/** How the gradient of the task loss reaches the gate. */
export type GradientPath = 'gate' | 'straight-through' | 'none';

/** What a router may use besides weights and inputs. */
export interface RouteContext {
  readonly training: boolean;
  /** Required by noisy routers while training. The same rng gives the same noise, so hand in a child for each layer and step. */
  readonly rng?: Rng;
  /** Experts that may be chosen. @defaultValue all */
  readonly allowed?: ExpertMask;
  /** See `ForwardOptions.gate` of `@moe/core`. @defaultValue 'hard' */
  readonly gate?: 'hard' | { readonly temperature: number };
}

/** Which row runs through which expert, grouped by expert; lives on the host. */
export interface Assignment {
  readonly numTokens: number;
  readonly numExperts: number;
  /** Row of each slot, `[N]`; the slots of one expert are contiguous and in row order. */
  readonly tokenOfSlot: Int32Array;
  /** Expert e owns slots `expertOffsets[e] … expertOffsets[e+1] - 1`, `[E+1]`. */
  readonly expertOffsets: Int32Array;
}

/** What a router decided for one batch; the tensors belong to the caller of `route`. */
export interface Plan {
  readonly gateLogits: Tensor2D;
  readonly gates: Tensor2D;
  /** Weight of each expert in each row's output, `[T,E]`, zero where not chosen; carries the gradient to the gate. */
  readonly combineWeights: Tensor2D;
  readonly assignment: Assignment;
  /** Weighted balance loss. */
  readonly auxLoss: Scalar;
  /** Share of (row, choice) pairs that capacity dropped, in `[0, 1]`. */
  readonly droppedFraction: number;
}

/** A router is a value: static facts, and pure functions of its weights. */
export interface Router {
  readonly name: string;
  /** Plain JSON, enough to make the same router again. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly numExperts: number;
  readonly topK: number;
  /** Whether a row's result depends on that row alone, in evaluation mode. */
  readonly batchInvariant: boolean;
  /** Whether the combine weights are continuous in the input. */
  readonly continuous: boolean;
  readonly gradientPath: GradientPath;
  init(inputShape: readonly number[], rng: Rng): InitialWeights;
  route(weights: Weights, inputs: Tensor, context: RouteContext): Plan;
}

/** An expert maps rows to rows; called only with at least one row. */
export type ExpertFn = (rows: Tensor) => Tensor;
