// Shapes: B batch, T rows of a layer, E experts.
import { type Scalar, type Tensor, type Tensor1D, addN, mean, mod, mul, reshape, scalar, tidy, tile } from '@tensorflow/tfjs-core';
import { type Attack, type ForwardOptions, type MoeModel, type Routing, expectArgument, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { crossEntropy } from '../objectives/classification-loss.js';
import { klDivergence } from '../objectives/kl-divergence.js';
import type { ObjectiveContext, ObjectiveLoss, ObjectiveStep, SteppedObjective, TrainingBatch } from '../objectives/objective.js';
import { attacked } from './attacked.js';
import { jointDistribution } from './joint-distribution.js';
import { gateDivergence } from './router-kl.js';
import { type RouterWeights, isRouterWeight } from './router-weights.js';
import { expectLayers, forwardRng, routingOf } from './routing-pairs.js';

const VARIANTS = ['paper', 'released', 'fixed'] as const;

/** Options of {@link advMoe}. */
export interface AdvMoeOptions {
  /** Moves classes and gates together: one with `loss: 'kl'`. As released: `pgd({ eps: 8 / 255, steps: 2, stepSize: 5 / 255, loss: 'kl', start: 'normal', goal: 'lastStep' })`. */
  readonly attack: Attack;
  /** Has no default, because results differ: see {@link advMoe}. */
  readonly variant: (typeof VARIANTS)[number];
  /** Weight of every divergence. @defaultValue 6 */
  readonly beta?: number;
  /** Weight of the gates' cross-entropy in `'released'`. @defaultValue 6 */
  readonly labelWeight?: number;
  /** Layers whose gates count in `'released'` and `'fixed'`, and under attack, by name. @defaultValue all */
  readonly layers?: readonly string[];
  /** Which weights are the routers'. @defaultValue {@link isRouterWeight}, the names of `@moe/layers` */
  readonly routerWeights?: RouterWeights;
}

/** What of {@link AdvMoeOptions} is recorded. */
export interface AdvMoeRecord {
  readonly attack: AttackRecord;
  readonly variant: (typeof VARIANTS)[number];
  readonly beta: number;
  readonly labelWeight: number;
  readonly layers: readonly string[] | null;
}

/** A clean and an attacked pass. */
interface Passes {
  readonly clean: ReturnType<MoeModel['forward']>;
  readonly attacked: ReturnType<MoeModel['forward']>;
}

function runBoth(model: MoeModel, inputs: Tensor, batch: TrainingBatch, context: ObjectiveContext, options: ForwardOptions = {}): Passes {
  const pass = (x: Tensor) => model.forward(x, { training: true, rng: forwardRng(context), ...options });
  return { clean: pass(batch.inputs), attacked: pass(inputs) };
}

const lossOf = ({ attacked: { logits, routing } }: Passes, terms: Record<string, Scalar>): ObjectiveLoss => ({ total: addN(Object.values(terms)), terms, logits, routing });

/** Mean cross-entropy of the gates with the expert `y mod E`, summed over layers. */
function labelLoss(routing: readonly Routing[], labels: Tensor1D): Scalar {
  return tidy(() =>
    addN(
      routing.map(({ gates, gateLogits }) => {
        const [rows, experts] = gates.shape;
        const tokens = rows / labels.shape[0];
        const wanted = reshape(tile(reshape(mod(labels, scalar(experts, 'int32')), [-1, 1]), [1, tokens]), [-1]) as Tensor1D;
        return crossEntropy(gateLogits, wanted);
      }),
    ),
  );
}

/**
 * AdvMoE: on each batch first the experts and all other weights learn to resist at the routes that there are, then the routers at the experts that there are.
 *
 * @remarks
 * Two steps, each with an attack of its own that raises `KL(f(x) ‖ f(x')) + Σ_layers KL(r(x) ‖ r(x'))` in evaluation mode, f the classes and r the gates. The first moves all but the routers by
 * `CE(f(x), y) + β KL(f(x) ‖ f(x'))`, and the balance losses of the clean pass. The second moves the routers alone:
 *
 * - `'paper'`: by the same loss, through the gradient that the model's own gates have.
 * - `'released'`: by `labelWeight · CE(r(x), y mod E) + β KL(r(x) ‖ r(x'))`, as the code does: the gradient of the classes never reaches its router, which learns to sort by class instead.
 * - `'fixed'`: by the loss of the classes through a softmax of all scores, at the same outputs, so that the router learns what every expert would do, and `β KL(r(x) ‖ r(x'))`. All experts run on all rows.
 *
 * Published with one router for all layers, which `@moe/layers` has as `gateFrom`; with more, divergences are summed over layers, and are means over tokens. The released code has an optimiser for
 * either part, of the same settings. Running statistics move in the first step only.
 *
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if the model has no such layers, or no weight is a router's.
 * @see {@link https://arxiv.org/abs/2308.10110 | Zhang et al. 2023}
 *
 * @example
 * const attack = pgd({ eps: 8 / 255, steps: 2, stepSize: 5 / 255, loss: 'kl', start: 'normal', goal: 'lastStep' });
 * const objective = advMoe({ attack, variant: 'fixed' });
 */
export function advMoe(options: AdvMoeOptions): SteppedObjective<AdvMoeRecord> {
  expectKnownKeys('advMoe', options, ['attack', 'variant', 'beta', 'labelWeight', 'layers', 'routerWeights']);
  const { attack, variant, beta = 6, labelWeight = 6, layers, routerWeights = isRouterWeight } = options;
  expectTrainingAttack('advMoe', attack);
  expectOneOf('advMoe', 'variant', variant, VARIANTS);
  expectNumber('advMoe', 'beta', beta, 0);
  expectNumber('advMoe', 'labelWeight', labelWeight, 0);
  expectArgument('advMoe', 'routerWeights', typeof routerWeights === 'function', 'be a function of a name', routerWeights);

  const perturb: NonNullable<ObjectiveStep['perturb']> = (model, batch, context) =>
    attacked(attack, jointDistribution('advMoe', model, layers, { classes: true }), batch, context, 'attack');
  const classTerms = ({ clean, attacked: other }: Passes, labels: Tensor1D) => ({ ce: crossEntropy(clean.logits, labels), kl: mul(mean(klDivergence(clean.logits, other.logits)), beta) as Scalar });
  const gateTerm = (model: MoeModel, { clean, attacked: other }: Passes): Scalar => {
    const names = expectLayers('advMoe', model, layers);
    return mul(gateDivergence(routingOf('advMoe', names, clean.routing), routingOf('advMoe', names, other.routing)), beta) as Scalar;
  };

  const experts: ObjectiveStep = {
    moves: (name) => !routerWeights(name),
    perturb,
    loss: (model, inputs, batch, context) => {
      const passes = runBoth(model, inputs, batch, context);
      return lossOf(passes, { ...classTerms(passes, batch.labels), aux: passes.clean.auxLoss });
    },
  };
  const routers: ObjectiveStep = {
    moves: routerWeights,
    perturb: (model, batch, context) => {
      const names = context.weights.map(({ name }) => name);
      expectArgument('advMoe', 'routerWeights', names.length === 0 || names.some(routerWeights), 'hold for a trainable weight', names, 'Pass a function that knows the names of your routers.');
      return perturb(model, batch, context);
    },
    loss: (model, inputs, batch, context) => {
      const passes = runBoth(model, inputs, batch, context, { updateStatistics: false, ...(variant === 'fixed' && { gate: { temperature: 1 } }) });
      const aux = { 'router-aux': passes.clean.auxLoss };
      if (variant === 'released') {
        const names = expectLayers('advMoe', model, layers);
        const label = mul(labelLoss(routingOf('advMoe', names, passes.clean.routing), batch.labels), labelWeight) as Scalar;
        return lossOf(passes, { 'router-label': label, 'gate-kl': gateTerm(model, passes), ...aux });
      }
      const { ce, kl } = classTerms(passes, batch.labels);
      return lossOf(passes, { 'router-ce': ce, 'router-kl': kl, ...(variant === 'fixed' && { 'gate-kl': gateTerm(model, passes) }), ...aux });
    },
  };
  return { name: 'adv-moe', options: { attack: attackRecord(attack), variant, beta, labelWeight, layers: layers ?? null }, steps: [experts, routers] };
}
