// Shapes: T tokens, E experts.
import { expectArgument } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, add, scalar } from '@tensorflow/tfjs-core';
import { gateScores } from '../gates/gate-scores.js';
import { type Balance, type BalanceInputs, balanceTotal } from '../losses/balance-option.js';
import type { GateNetwork, InitialWeights, RouteContext, Router, Weights } from '../types.js';
import { type Decision, buildPlan, shutExperts } from './build-plan.js';
import { expectGateContext, expectOnHost } from './expect-context.js';
import { topKMaskOnDevice } from './on-device.js';

/** What a router with a gate states of itself. */
export interface GatedFacts extends Pick<Router, 'name' | 'options' | 'numExperts' | 'topK' | 'batchInvariant' | 'continuous'> {
  readonly gate: GateNetwork;
  readonly balance: Balance;
  /** @defaultValue 'gate' */
  readonly gradientPath?: Router['gradientPath'];
  /** Why it decides on the host. @defaultValue it does not */
  readonly onHost?: string;
  /** Names of weights that are the router's own, not the gate's, and how they start. */
  readonly own?: { readonly names: readonly string[]; readonly init: Router['init'] };
}

/** What a router decides from. */
export interface Scored {
  /** The gate's scores, `[T,E]`. */
  readonly gateLogits: Tensor2D;
  /** The same, with those of experts that are not allowed shut. */
  readonly logits: Tensor2D;
  /** How many experts are allowed. */
  readonly open: number;
  readonly inputs: Tensor;
  /** Weights of the router's own, by the names it gave. */
  readonly own: Weights;
  readonly context: RouteContext;
}

/** A decision without what is the same for all: scores and balance losses. */
export interface GatedDecision extends Omit<Decision, 'gateLogits' | 'auxLoss'> {
  /** @defaultValue the gate's scores */
  readonly gateLogits?: Tensor2D;
  /** What the balance losses see. @defaultValue gates */
  readonly balanced?: Tensor2D | undefined;
  /** One-hot of each token's first choice, for the losses. @defaultValue that of its largest gate */
  readonly firstChoice?: Tensor2D | undefined;
  /** A loss of the router's own. */
  readonly loss?: Scalar | undefined;
}

/** Steps that only some routers take before the gate. */
export interface BeforeGate {
  /** Refuses a context or inputs before any tensor work. */
  readonly expect?: (inputs: Tensor, context: RouteContext, own: Weights) => void;
  /** What the gate sees of the inputs, and new values of the router's own state that come of it. */
  readonly seen?: (inputs: Tensor, own: Weights, context: RouteContext) => { readonly inputs: Tensor; readonly updates?: Weights };
}

/**
 * A router that scores the experts with a gate network: it runs the gate, shuts experts that are not allowed, lets `decide` choose, and adds the balance losses.
 *
 * @param decide - from scores to choices; runs in the scope of the plan.
 */
export function gatedRouter(facts: GatedFacts, decide: (scored: Scored) => GatedDecision, { expect, seen }: BeforeGate = {}): Router {
  const { gate, balance, gradientPath = 'gate', onHost, own, ...stated } = facts;
  const { name, numExperts } = stated;
  return {
    ...stated,
    gradientPath,
    init: (inputShape, rng): InitialWeights => ({ ...gate.init(inputShape, numExperts, rng), ...own?.init(inputShape, rng) }),
    route(weights, inputs, context) {
      if (onHost !== undefined) expectOnHost(name, context, onHost);
      const open = expectGateContext(name, numExperts, context);
      const [gateWeights, ownWeights] = split(name, weights, own?.names ?? []);
      expect?.(inputs, context, ownWeights);
      return buildPlan(() => {
        const { inputs: shown, updates: ofInputs } = seen?.(inputs, ownWeights, context) ?? { inputs };
        const { gateLogits, updates: ofGate } = gateScores(gate, gateWeights, shown, context);
        const scored = { gateLogits, logits: shutExperts(gateLogits, context.allowed), open, inputs, own: ownWeights, context };
        const { balanced, firstChoice, loss, updates, ...decision } = { gateLogits, ...decide(scored) };
        const losses = balance.length === 0 ? scalar(0) : balanceTotal(balance, seenByLosses({ ...decision, balanced, firstChoice }), context);
        const state = { ...ofGate, ...ofInputs, ...updates };
        return { ...decision, auxLoss: loss === undefined ? losses : add(losses, loss), ...(Object.keys(state).length > 0 && { updates: state }) };
      }, context);
    },
  };
}

const seenByLosses = ({ gateLogits, gates, combineWeights, balanced = gates, firstChoice = topKMaskOnDevice(gates, 1) }: Required<Pick<GatedDecision, 'gateLogits'>> & GatedDecision): BalanceInputs =>
  ({ gateLogits, gates: balanced, combineWeights, firstChoice });

/** The gate's weights and those of the router. */
function split(caller: string, weights: Weights, names: readonly string[]): [Weights, Weights] {
  const missing = names.find((name) => weights[name] === undefined);
  expectArgument(caller, 'weights', missing === undefined, `hold ${names.join(' and ')}`, Object.keys(weights));
  const part = (own: boolean): Weights => Object.fromEntries(Object.entries(weights).filter(([name]) => names.includes(name) === own));
  return [part(false), part(true)];
}
