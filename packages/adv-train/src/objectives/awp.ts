import '../gradients.js';
import { type Tensor, type Variable, add, div, mul, sqrt, square, sum, tidy, variableGrads } from '@tensorflow/tfjs-core';
import { type MoeModel, expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { freeingTape } from '../internal/freeing-tape.js';
import type { SingleObjective } from './objective.js';

/** Options of {@link awp}. */
export interface AwpOptions {
  /** Length of a weight's displacement, as a share of its own norm. @defaultValue 0.01 (Wu et al. 2020, with adversarial training; 0.005 with TRADES) */
  readonly gamma?: number;
  /** First epoch with displaced weights, from 0. @defaultValue 0 (Wu et al. 2020, with adversarial training; 10 with TRADES) */
  readonly from?: number;
}

/** What of an objective with displaced weights is recorded. */
export interface AwpRecord extends Required<AwpOptions> {
  readonly objective: { readonly name: string; readonly options: object };
}

const TINY = 1e-20; // Wu et al. 2020, released code

const length = (x: Tensor): Tensor => sqrt(sum(square(x)));

/**
 * Adversarial weight perturbation: an objective whose loss is differentiated where it is higher, at weights that are displaced along its gradient.
 *
 * @remarks
 * `v = γ ‖w‖₂/‖g‖₂ · g` for each weight of rank 2 or more, g the gradient of the loss on the perturbed inputs; the weights move by the gradient at w + v (Wu et al., with one step). Biases and batch norm stay where they are. Costs one forward and one backward pass, which leave the running statistics alone and draw the same router noise as the pass that
 * follows. Differs from the released code: weight decay sees w, to which the weights return bit for bit before they move, not w + v.
 *
 * @param objective - of one step, such as {@link pgdAdversarial} or {@link trades}.
 * @returns An objective with `+awp` after the name.
 * @throws {@link ArgumentError} if the objective has several steps or displaces weights itself, or a number is out of range.
 * @see {@link https://arxiv.org/abs/2004.05884 | Wu et al. 2020}, Sec. 4.
 *
 * @example
 * const objective = awp(trades({ attack, batchNorm: 'running' }), { gamma: 0.005, from: 10 });
 */
export function awp(objective: SingleObjective, options: AwpOptions = {}): SingleObjective<AwpRecord> {
  expectArgument('awp', 'objective', typeof objective?.loss === 'function', 'be an objective of one step', objective);
  expectArgument('awp', 'objective', objective.displace === undefined, 'not displace weights itself', objective.name);
  expectKnownKeys('awp', options, ['gamma', 'from']);
  const { gamma = 0.01, from = 0 } = options;
  expectNumber('awp', 'gamma', gamma, 0);
  expectInteger('awp', 'from', from, 0);
  return {
    ...objective,
    name: `${objective.name}+awp`,
    options: { objective: { name: objective.name, options: objective.options }, gamma, from },
    displace: (model, inputs, batch, context) => {
      const variables = context.weights.map(({ variable }): Variable => variable).filter(({ rank }) => rank > 1);
      if (gamma === 0 || context.epoch < from || variables.length === 0) return {};
      const still: MoeModel = { ...model, forward: (x, forwardOptions) => model.forward(x, { ...forwardOptions, updateStatistics: false }) };
      return tidy(() => {
        const { grads } = freeingTape(() => variableGrads(() => objective.loss(still, inputs, batch, context).total, variables));
        const displaced = context.weights.flatMap(({ name, variable }): [string, Tensor][] => {
          const gradient = grads[variable.name];
          if (gradient === undefined) return [];
          const share = div(mul(length(variable), gamma), add(length(gradient), TINY));
          return [[name, add(variable as Tensor, mul(gradient, share))]];
        });
        return Object.fromEntries(displaced);
      });
    },
  };
}
