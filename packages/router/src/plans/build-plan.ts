// Shapes: T tokens (rows), E experts.
import { expectArgument, expectShape, stopGradient, straightThrough } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, add, clone, div, mean, mul, scalar, softmax, sqrt, square, sub, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { assignmentOf } from '../assignment.js';
import type { Plan, RouteContext, SoftSlots, Weights } from '../types.js';

/** What a router works out for one batch; {@link buildPlan} makes the plan of it. */
export interface Decision {
  /** Scores before any activation, `[T,E]`. */
  readonly gateLogits: Tensor2D;
  readonly gates: Tensor2D;
  /** Weights as deployed, `[T,E]`, 0 where not chosen. */
  readonly combineWeights: Tensor2D;
  /** Where a row runs, `[T,E]` row-major, not 0 where it does; left out on the device. */
  readonly chosen?: ArrayLike<number>;
  /** Mixtures instead of choices; excludes `chosen`. */
  readonly slots?: SoftSlots;
  /** @defaultValue 0 */
  readonly auxLoss?: Scalar;
  /** Number of (row, expert) pairs that were asked for, of which capacity dropped those that are not `chosen`. @defaultValue the number chosen */
  readonly wanted?: number;
  /** See `Plan.updates`. */
  readonly updates?: Weights;
  /** Whether `context.gate` replaces the gradient of the weights by that of a softmax over all logits; continuous routers need no relaxation. @defaultValue true */
  readonly relaxable?: boolean;
}

// Makes a gate exactly 0 in float32, and is finite, so that no gradient turns to NaN.
const SHUT = -1e9;

/** Router scores in which a softmax gives an expert that is not allowed exactly 0, `[T,E]`. */
export function shutExperts(gateLogits: Tensor2D, allowed: RouteContext['allowed']): Tensor2D {
  if (allowed === undefined) return gateLogits;
  expectArgument('shutExperts', 'context.allowed', allowed.length === gateLogits.shape[1], `have one entry per expert, ${gateLogits.shape[1]}`, allowed.length);
  return add(gateLogits, tensor2d([allowed.map((open) => (open ? 0 : SHUT))]));
}

/** Softmax over the entries where `mask` is 1, `[T,E]`, 0 elsewhere: gates over their sum, without dividing two numbers that may both underflow. */
export function softmaxWhere(logits: Tensor2D, mask: Tensor2D): Tensor2D {
  return tidy(() => softmax(add(logits, mul(add(mask, -1), -SHUT)) as Tensor2D));
}

/** 1 for tokens that count and 0 for others, `[T,1]`. */
const maskColumn = (mask: readonly boolean[]): Tensor2D => tensor2d(mask.map(Number), [mask.length, 1]);

/**
 * Turns what a router decided into its plan: the last step of every `route`, the caller's own routers included.
 *
 * @remarks
 * `decide` runs in a scope of its own; only the tensors of the plan survive. Adds what is the same for all routers: tokens that `context.mask` leaves
 * out get no expert and weight 0, and a relaxed gate (`context.gate`) keeps the hard values and takes the gradient of a softmax over all allowed
 * experts, every row then running through each of them. A plan without `chosen` and without `slots` is one for the device.
 *
 * @param decide  - works out the decision; every tensor that it makes belongs to the scope.
 * @param context - what `route` was given.
 * @returns The plan; its tensors belong to the caller.
 * @throws {@link ShapeError} {@link ArgumentError} if shapes disagree.
 *
 * @example
 * // A router that sends every row to its best expert with weight 1:
 * const route = (weights, inputs, context) =>
 *   buildPlan(() => {
 *     const gateLogits = gate.logits(weights, inputs);
 *     const gates = softmax(shutExperts(gateLogits, context.allowed));
 *     const best = topKMask(gates, 1);
 *     return { gateLogits, gates, combineWeights: straightThrough(best, gates), chosen: best.dataSync() };
 *   }, context);
 */
export function buildPlan(decide: () => Decision, context: RouteContext): Plan {
  const plans: Plan[] = [];
  tidy(() => {
    const plan = assemble(masked(decide(), context.mask), context);
    plans.push(plan);
    // tfjs walks what a scope returns entry by entry, so the host's side of the plan stays out of it.
    return planTensors(plan);
  });
  return plans[0]!;
}

function assemble({ gateLogits, gates, combineWeights, chosen, slots, auxLoss = scalar(0), updates, wanted, relaxable = true }: Decision, context: RouteContext): Plan {
  const { T, E } = expectShape('buildPlan', { combineWeights, gates, gateLogits }, ['T', 'E']);
  // A plan owns each of its tensors once.
  const detached = context.gate === 'detached';
  const hard = detached ? stopGradient(combineWeights) : combineWeights === gates ? clone(combineWeights) : combineWeights;
  const common = { gateLogits, gates, auxLoss, droppedFraction: 0, ...(updates !== undefined && { updates }) };
  if (slots !== undefined) {
    return { ...common, kind: 'soft', combineWeights: hard, slots: detached ? { dispatch: stopGradient(slots.dispatch), combine: stopGradient(slots.combine) } : slots };
  }

  const relaxation = relaxable && typeof context.gate === 'object' ? context.gate : undefined;
  const relaxed = relaxation === undefined ? hard : straightThrough(hard, relaxedWeights(gateLogits, relaxation, context));
  if (chosen === undefined) return { ...common, kind: 'device', combineWeights: relaxed };

  expectArgument('buildPlan', 'chosen', chosen.length === T * E, `have one entry per row and expert, ${T * E}`, chosen.length);
  const assignment = assignmentOf(relaxation === undefined ? chosen : everyPair(T, E, context), E);
  const ran = count(chosen);
  return { ...common, kind: 'sparse', combineWeights: relaxed, assignment, droppedFraction: wanted === undefined || wanted <= ran ? 0 : 1 - ran / wanted };
}

function masked(decision: Decision, mask: RouteContext['mask']): Decision {
  if (mask === undefined) return decision;
  const [rows = 0, experts = 0] = decision.combineWeights.shape;
  expectArgument('buildPlan', 'context.mask', mask.length === rows, `have one entry per row, ${rows}`, mask.length);
  const { chosen, combineWeights } = decision;
  return {
    ...decision,
    combineWeights: mul(combineWeights, maskColumn(mask)),
    ...(chosen !== undefined && { chosen: Uint8Array.from({ length: chosen.length }, (_, i) => Number(chosen[i] !== 0 && mask[Math.floor(i / experts)])) }),
  };
}

// Added to a standard deviation that may be 0.
const TINY = 1e-12;

function relaxedWeights(gateLogits: Tensor2D, { temperature, relative = false }: Relaxation, { allowed, mask }: RouteContext): Tensor2D {
  // Scores that are centred do not overflow where all are nearly the same.
  const centred = sub(gateLogits, mean(gateLogits, 1, true)) as Tensor2D;
  const scaled = relative ? (div(centred, add(mul(deviation(stopGradient(centred)), temperature), TINY)) as Tensor2D) : (div(gateLogits, temperature) as Tensor2D);
  const soft = softmax(shutExperts(scaled, allowed));
  return mask === undefined ? soft : mul(soft, maskColumn(mask));
}

/** Standard deviation of each row of centred scores, `[T,1]`. */
const deviation = (centred: Tensor2D): Tensor => sqrt(mean(square(centred), 1, true));

const everyPair = (rows: number, experts: number, { allowed, mask }: RouteContext): Uint8Array =>
  Uint8Array.from({ length: rows * experts }, (_, i) => Number(allowed?.[i % experts] !== false && mask?.[Math.floor(i / experts)] !== false));

type Relaxation = Exclude<NonNullable<RouteContext['gate']>, string>;

const count = (chosen: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < chosen.length; i++) if (chosen[i] !== 0) total++;
  return total;
};

/** Tensors that a plan owns: what its caller disposes. */
export function planTensors(plan: Plan): Tensor[] {
  const { gateLogits, gates, combineWeights, auxLoss, updates = {} } = plan;
  const slots = plan.kind === 'soft' ? [plan.slots.dispatch, plan.slots.combine] : [];
  return [gateLogits, gates, combineWeights, auxLoss, ...slots, ...Object.values(updates)];
}
