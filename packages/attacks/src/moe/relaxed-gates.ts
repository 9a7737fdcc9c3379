// Shapes: B batch.
import { type Attack, type GateGradient, type LogitsFn, expectArgument, expectNumber } from '@moe/core';
import { dispose, tensor1d } from '@tensorflow/tfjs-core';
import { apgd } from '../apgd.js';
import { measure } from '../internal/measure.js';
import { nameOf } from '../internal/options.js';
import { createProblem } from '../internal/problem.js';
import { cwRow } from '../losses/cw-loss.js';
import type { CombinedOptions } from '../combinators/combined.js';
import { sequence } from '../combinators/sequence.js';
import { moeOf } from './moe-of.js';
import { type RoutingAttackOptions, routingOptions } from './options.js';

export interface RelaxedGatesOptions extends RoutingAttackOptions {
  /** Steps of one run. @defaultValue 100 */
  readonly steps?: number;
  /** Temperatures, in standard deviations of each token's scores; one run for each, on what still stands. @defaultValue [1, 0.3, 0.1] */
  readonly temperatures?: readonly number[];
}

/**
 * AutoPGD through gates that are soft in the backward pass alone (BPDA): for experts that are chosen without a gradient.
 *
 * @remarks
 * Forward the model as it is; backward `Σ_j softmax(r / (τ σ))_j f_j` with the scores r of a token and their standard deviation σ, in every layer. All experts run on all rows, so a step costs up
 * to E times as much. σ is that of each token by itself: the deviation over a batch would let rows depend on each other. The model itself confirms what the attack found.
 *
 * @returns A frozen attack on models that bring `moe`, such as `logitsFn(moeModel(network))`; a sequence of one `apgd` for each temperature.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 * @see {@link https://arxiv.org/abs/1802.00420 | Athalye et al. 2018}, BPDA.
 *
 * @example
 * const attack = relaxedGates({ eps: 8 / 255 });
 */
export function relaxedGates(options: RelaxedGatesOptions): Attack<CombinedOptions> {
  const shared = routingOptions('relaxedGates', { steps: 100, ...options }, ['temperatures']);
  const { temperatures = [1, 0.3, 0.1] } = options;
  expectArgument('relaxedGates', 'temperatures', Array.isArray(temperatures) && temperatures.length >= 1, 'hold at least one', temperatures);
  temperatures.forEach((temperature, i) => expectNumber('relaxedGates', `temperatures[${i}]`, temperature, Number.MIN_VALUE));
  const name = nameOf('relaxedGates', shared.label);
  return sequence(
    name,
    temperatures.map((temperature) => throughGates(apgd({ ...shared, label: `${name}:${temperature}` }), { temperature, relative: true })),
  );
}

/**
 * AutoPGD that takes the gates' weights for constants: what it finds is harm done to the experts' features, though routes change with them.
 *
 * @remarks
 * Beside an attack with gradients through the gates, it tells how much of the harm is done through routing. The choice of experts stays live in the forward pass; see {@link frozenRoutes} for
 * one that does not.
 *
 * @returns A frozen attack on models that bring `moe`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 *
 * @example
 * const attack = detachedGates({ eps: 8 / 255 });
 */
export function detachedGates(options: RoutingAttackOptions): Attack<CombinedOptions> {
  return oneRun('detachedGates', 'detached', options);
}

/**
 * AutoPGD with the gradients that gates have in training, whatever the deployed model gives: straight-through ones for a single expert whose weight is 1.
 *
 * @remarks
 * A model that is deployed with an argmax or with constant weights hides from attacks what its router learned by. Only the chosen experts run, so a step costs what one of `apgd` does. On a model
 * that hides nothing it is `apgd` with other draws. The model itself confirms what the attack found.
 *
 * @returns A frozen attack on models that bring `moe`.
 * @throws {@link ArgumentError} if an option is unknown or out of range; `perturb` throws if the model brings no MoE model.
 * @see {@link https://arxiv.org/abs/1308.3432 | Bengio et al. 2013}, the straight-through gradient.
 *
 * @example
 * const attack = trainingGates({ eps: 8 / 255 });
 */
export function trainingGates(options: RoutingAttackOptions): Attack<CombinedOptions> {
  return oneRun('trainingGates', 'hard', options);
}

function oneRun(kind: string, gate: GateGradient, options: RoutingAttackOptions): Attack<CombinedOptions> {
  const shared = routingOptions(kind, { steps: 100, ...options }, []);
  const name = nameOf(kind, shared.label);
  return sequence(name, [throughGates(apgd({ ...shared, label: name }), gate)]);
}

/** An attack whose gradients take another way through the gates, confirmed by the model itself. */
function throughGates(attack: Attack, gate: GateGradient): Attack {
  return Object.freeze<Attack>({
    name: attack.name,
    options: attack.options,
    access: 'gradient',
    perturb(model, inputs, labels, context) {
      const moe = moeOf(attack.name, model);
      const steered: LogitsFn = (x, draw) => moe.forward(x, { gate, ...(draw && { rng: draw.rng }) }).logits;
      const { adversarial, success, loss } = attack.perturb(steered, inputs, labels, context);
      success.dispose();
      try {
        const { bounds } = attack.options as RoutingAttackOptions;
        const problem = createProblem(attack.name, model, inputs, labels, context, bounds ?? [0, 1]);
        const { wrong } = measure(problem, cwRow, adversarial.dataSync() as Float32Array, Array.from({ length: problem.rows }, (_, row) => row), false);
        return { adversarial, success: tensor1d(Int32Array.from(wrong), 'int32'), loss };
      } catch (error) {
        dispose([adversarial, loss]);
        throw error;
      }
    },
  });
}
