// Shapes: T tokens (rows), E experts, N = rows that run; B examples, S slots of an expert.
import type { ExpertMask, GateGradient, Rng } from '@moe/core';
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';

/** A weight that a gate network or router asks its owner to create. */
export interface InitialWeight {
  /** Starting value; the owner of the weight disposes it after copying. */
  readonly value: Tensor;
  readonly trainable: boolean;
}

export type InitialWeights = Readonly<Record<string, InitialWeight>>;
export type Weights = Readonly<Record<string, Tensor>>;

/** What a batch norm saw in one pass, over N values per feature; the tensors `[F]` live during the pass only. */
export interface GateStatistics {
  readonly mean: Tensor1D;
  /** Sum of squared deviations over N. */
  readonly variance: Tensor1D;
  readonly count: number;
  readonly rows: number;
}

/** What a gate network may know of a pass: only those that normalise need it. */
export interface GatePass {
  readonly training: boolean;
  /** Tokens that count, `[T]`; the others (padding) reach no expert, no loss and no statistic. @defaultValue all */
  readonly mask?: readonly boolean[];
  /** Makes every batch norm of the gate use the statistics of the batch, in evaluation too, and takes them by the name that its weights begin with, such as `'bn'`. */
  readonly observeStatistics?: (batchNorm: string, statistics: GateStatistics) => void;
}

/** Maps the input of an MoE layer to router scores; a pure function of its weights. */
export interface GateNetwork {
  readonly name: string;
  /** Plain JSON, enough to make the same network again. */
  readonly options: Readonly<Record<string, unknown>>;
  /** @param inputShape - shape of one row, e.g. `[H, W, C]` or `[D]`. */
  init(inputShape: readonly number[], numExperts: number, rng: Rng): InitialWeights;
  /**
   * @param pass - without one, evaluation.
   * @returns Scores before the softmax, `[T,E]`, differentiable in inputs and weights.
   */
  logits(weights: Weights, inputs: Tensor, pass?: GatePass): Tensor2D;
}

/** How the gradient of the task loss reaches the gate. */
export type GradientPath = 'gate' | 'straight-through' | 'none';

/** What a router may use besides weights and inputs. */
export interface RouteContext extends GatePass {
  /** Required by noisy routers while training. The same rng gives the same noise, so hand in a child for each layer and step. */
  readonly rng?: Rng;
  /** Experts that may be chosen. @defaultValue all */
  readonly allowed?: ExpertMask;
  /** See `ForwardOptions.gate` of `@moe/core`. @defaultValue 'hard' */
  readonly gate?: GateGradient;
  /** How many consecutive rows belong to one example, such as the tokens of an image; divides T. @defaultValue 1 */
  readonly rowsPerExample?: number;
  /** Identity of each example, `[T / rowsPerExample]`, for routers that route by it. */
  readonly exampleIds?: ArrayLike<number>;
  /** Combine weights `[T,E']` of the MoE layer before this one, over the same rows, for routers that build on them. */
  readonly previous?: Tensor2D;
  /**
   * Whether a router must decide without reading anything back: for engines that cannot read synchronously, and for compiled steps. The plan
   * is then a {@link DevicePlan}. Routers that decide on the host refuse. @defaultValue false
   */
  readonly onDevice?: boolean;
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

/** Slots that are mixtures of rows: of B examples of N rows each, with S slots for each expert. */
export interface SoftSlots {
  /** Share of each row in each slot, `[B,N,E·S]`, expert-major; for Soft MoE each slot's shares sum to 1. */
  readonly dispatch: Tensor3D;
  /** Share of each slot in each row's output, `[B,N,E·S]`; for Soft MoE each row's shares sum to 1. */
  readonly combine: Tensor3D;
}

interface AnyPlan {
  readonly gateLogits: Tensor2D;
  readonly gates: Tensor2D;
  /** Weight of each expert in each row's output, `[T,E]`, zero where not chosen; carries the gradient to the gate. */
  readonly combineWeights: Tensor2D;
  /** Weighted balance loss. */
  readonly auxLoss: Scalar;
  /** Share of (row, choice) pairs that capacity dropped, in `[0, 1]`. */
  readonly droppedFraction: number;
  /** New values of weights that no optimiser moves, such as running statistics; only from a router with state, in training. */
  readonly updates?: Weights;
}

/** Each row goes to some experts, known on the host. */
export interface SparsePlan extends AnyPlan {
  readonly kind: 'sparse';
  readonly assignment: Assignment;
}

/** Each row goes to the experts where its combine weight is not 0, known on the device only. */
export interface DevicePlan extends AnyPlan {
  readonly kind: 'device';
}

/** Experts run on mixtures of rows; `combineWeights` are then the slots' shares added up by expert. */
export interface SoftPlan extends AnyPlan {
  readonly kind: 'soft';
  readonly slots: SoftSlots;
}

/** What a router decided for one batch; the tensors belong to the caller of `route`. */
export type Plan = SparsePlan | DevicePlan | SoftPlan;

/** A router is a value: static facts, and pure functions of its weights. */
export interface Router {
  readonly name: string;
  /** Plain JSON, enough to make the same router again. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly numExperts: number;
  /** Experts per row: exact, or the most or the mean that the router aims at; its documentation says which. */
  readonly topK: number;
  /** Whether an example's result depends on that example alone, in evaluation mode. */
  readonly batchInvariant: boolean;
  /** Whether the combine weights are continuous in the input. */
  readonly continuous: boolean;
  readonly gradientPath: GradientPath;
  init(inputShape: readonly number[], rng: Rng): InitialWeights;
  route(weights: Weights, inputs: Tensor, context: RouteContext): Plan;
}

/** An expert maps rows to rows; called only with at least one row. */
export type ExpertFn = (rows: Tensor) => Tensor;
