// Shapes: T rows of a layer, E experts, K chosen.
import { type Scalar, type Tensor2D, addN, mean, mul, relu, sub, sum, tidy } from '@tensorflow/tfjs-core';
import { expectKnownKeys, expectNumber, topKMask } from '@moe/core';
import { choosingLayers } from './choosing-layers.js';
import type { ObjectiveTerm } from './objective-term.js';
import { routingOf } from './routing-pairs.js';

/** Options of {@link routerMargin}. */
export interface RouterMarginOptions {
  /** Factor of the term. */
  readonly weight: number;
  /** Lead below which a row is penalised, in the unit of the scores. @defaultValue 1 */
  readonly margin?: number;
  /** Layers that count, by name; each must choose fewer experts than it has. @defaultValue all that do */
  readonly layers?: readonly string[];
}

/** What of {@link RouterMarginOptions} is recorded. */
export interface RouterMarginRecord {
  readonly weight: number;
  readonly margin: number;
  readonly layers: readonly string[] | null;
}

/** Lead of the last chosen score over the first that was not, `[T]`. */
function leadOf(scores: Tensor2D, topK: number) {
  const upTo = (k: number) => (k === 0 ? 0 : topKMask(scores, k));
  const last = sub(topKMask(scores, topK), upTo(topK - 1));
  const next = sub(topKMask(scores, topK + 1), topKMask(scores, topK));
  return sum(mul(scores, sub(last, next)), 1);
}

/**
 * Term that moves inputs away from where routes flip: a hinge on the lead of the last chosen expert over the first that was not, on the inputs that are trained on.
 *
 * @remarks
 * `weight · Σ_layers mean_t max(0, margin − (z_(K) − z_(K+1)))`, z_(k) the k-th largest score. Under PGD training this is the lead at attacked inputs. A router can grow it by scaling its scores
 * alone, which certifies nothing unless its Lipschitz constant is held. Ours: of no paper. Costs no pass.
 *
 * @returns A term named `router-margin` for {@link withTerms}; 0 where every row leads by the margin.
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if the model has no such layers.
 *
 * @example
 * const objective = withTerms(pgdAdversarial({ attack, batchNorm: 'running' }), [routerMargin({ weight: 1 })]);
 */
export function routerMargin(options: RouterMarginOptions): ObjectiveTerm<RouterMarginRecord> {
  expectKnownKeys('routerMargin', options, ['weight', 'margin', 'layers']);
  const { weight, margin = 1, layers } = options;
  expectNumber('routerMargin', 'weight', weight, 0);
  expectNumber('routerMargin', 'margin', margin, 0);
  return {
    name: 'router-margin',
    options: { weight, margin, layers: layers ?? null },
    loss: (model, { loss }) => {
      const chosen = choosingLayers('routerMargin', model, layers);
      const routing = routingOf('routerMargin', chosen.map(({ name }) => name), loss.routing);
      return tidy(() => mul(addN(chosen.map(({ topK }, i) => mean(relu(sub(margin, leadOf(routing[i]!.gateLogits, topK)))) as Scalar)), weight) as Scalar);
    },
  };
}
