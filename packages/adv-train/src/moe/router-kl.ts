// Shapes: B batch, T rows of a layer, E experts.
import { type Scalar, addN, log, maximum, mean, mul, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { type Attack, type Routing, expectKnownKeys, expectNumber } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { attackedGates } from './attacked.js';
import type { ObjectiveTerm } from './objective-term.js';
import { expectLayers, routingOf, secondPass } from './routing-pairs.js';

/** Options of {@link routerKl}. */
export interface RouterKlOptions {
  /** Factor of the term. @defaultValue 6, as in AdvMoE */
  readonly weight?: number;
  /** Makes the inputs whose routes are compared with the clean ones', by an attack on the gates alone; one with `loss: 'kl'`. @defaultValue the inputs that are trained on */
  readonly attack?: Attack;
  /** Layers that count, by name. @defaultValue all */
  readonly layers?: readonly string[];
}

/** What of {@link RouterKlOptions} is recorded. */
export interface RouterKlRecord {
  readonly weight: number;
  readonly attack: AttackRecord | null;
  readonly layers: readonly string[] | null;
}

const TINY = 1e-12;

/** Mean over rows of `Σ_e r_e ln(r_e / r'_e)`, summed over layers. */
export function gateDivergence(clean: readonly Routing[], others: readonly Routing[]): Scalar {
  return tidy(() =>
    addN(
      clean.map(({ gates }, i) => {
        const ratio = sub(log(maximum(gates, TINY)), log(maximum(others[i]!.gates, TINY)));
        return mean(sum(mul(gates, ratio), 1)) as Scalar;
      }),
    ),
  );
}

/**
 * Term that keeps routes where they are: the divergence of the gates on attacked inputs from those on clean inputs.
 *
 * @remarks
 * `weight · Σ_layers mean_t Σ_e r_te ln(r_te / r'_te)`, r the gates of the clean pass and r' those under attack: the router's part of the TRADES loss of AdvMoE. The gradient flows into both. Noise
 * of the router is the same in both passes. Costs one pass over the batch, with an attack of its own two and the attack.
 *
 * @returns A term named `router-kl` for {@link withTerms}; 0 where an attack does not move the gates.
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if the model has no such layers.
 * @see {@link https://arxiv.org/abs/2308.10110 | Zhang et al. 2023}, AdvMoE.
 *
 * @example
 * const objective = withTerms(pgdAdversarial({ attack, batchNorm: 'running' }), [routerKl({ weight: 6 })]);
 */
export function routerKl(options: RouterKlOptions = {}): ObjectiveTerm<RouterKlRecord> {
  expectKnownKeys('routerKl', options, ['weight', 'attack', 'layers']);
  const { weight = 6, attack, layers } = options;
  expectNumber('routerKl', 'weight', weight, 0);
  if (attack !== undefined) expectTrainingAttack('routerKl', attack);
  return {
    name: 'router-kl',
    options: { weight, attack: attack === undefined ? null : attackRecord(attack), layers: layers ?? null },
    ...(attack !== undefined && {
      views: {
        count: () => 1,
        make: (model, batch, context) => [attackedGates(attack, model, layers, batch, context, 'routerKl')],
      },
    }),
    loss: (model, { batch, views, loss }, context) => {
      const names = expectLayers('routerKl', model, layers);
      const clean = secondPass(model, batch.inputs, context).routing;
      const [view] = views;
      const others = view === undefined ? loss.routing : secondPass(model, view, context).routing;
      return mul(gateDivergence(routingOf('routerKl', names, clean), routingOf('routerKl', names, others)), weight) as Scalar;
    },
  };
}
