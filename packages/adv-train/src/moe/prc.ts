// Shapes: N pairs of rows, E experts.
import { type Scalar, type Tensor2D, add, addN, div, eye, matMul, mul, square, sub, sum, tidy, transpose } from '@tensorflow/tfjs-core';
import { type Attack, expectKnownKeys, expectNumber } from '@moe/core';
import { type AttackRecord, attackRecord, expectTrainingAttack } from '../objectives/attacked-inputs.js';
import { attackedGates } from './attacked.js';
import type { ObjectiveTerm } from './objective-term.js';
import { expectLayers, routingOf, secondPass } from './routing-pairs.js';

/** Options of {@link prc}. */
export interface PrcOptions {
  /** Weight of the diagonal, which asks for even and confident use. @defaultValue 0.005 (Kada et al. 2025) */
  readonly diagonal?: number;
  /** Weight of the rest, which asks both views for the same expert. @defaultValue 0.05 (Kada et al. 2025) */
  readonly offDiagonal?: number;
  /** Makes the second view by an attack on the gates alone: one with `loss: 'kl'` for an adversarial view, `noise` of `@moe/attacks` for a random one. @defaultValue the inputs that are trained on */
  readonly attack?: Attack;
  /** Layers that count, by name. @defaultValue all */
  readonly layers?: readonly string[];
}

/** What of {@link PrcOptions} is recorded. */
export interface PrcRecord {
  readonly diagonal: number;
  readonly offDiagonal: number;
  readonly attack: AttackRecord | null;
  readonly layers: readonly string[] | null;
}

/** `λ_d mean_i (C_ii − 1)² + λ_o mean_{i≠j} C_ij²` with `C = (E/N) Σ_n a_n b_nᵀ`. */
function consistency(gates: Tensor2D, others: Tensor2D, diagonal: number, offDiagonal: number): Scalar {
  const [pairs, experts] = gates.shape;
  const identity = eye(experts);
  const correlation = mul(matMul(transpose(gates), others), experts / pairs);
  const on = div(sum(square(mul(sub(correlation, 1), identity))), experts);
  const off = div(sum(square(mul(correlation, sub(1, identity)))), Math.max(1, experts * (experts - 1)));
  return add(mul(on, diagonal), mul(off, offDiagonal)) as Scalar;
}

/**
 * Pairwise router consistency: a row and its view should choose the same expert, and all experts be used.
 *
 * @remarks
 * `C = (E/N) Σ_n a_n b_nᵀ` from the gates a of the clean rows and b of the same rows of the view; `λ_d · mean_i (C_ii − 1)² + λ_o · mean_{i≠j} C_ij²`, summed over layers. As published the views
 * are augmentations, and the term replaces all balance losses: build the routers without any. Differs from the paper: the view is an attack or noise, whose rows correspond one to one; crops, whose
 * patches must be matched, are not covered. Router noise is the same in both passes. Costs one pass over the batch, with an attack of its own two and the attack.
 *
 * @returns A term named `prc` for {@link withTerms}; 0 for one-hot gates that agree and are used evenly.
 * @throws {@link ArgumentError} if an option is unknown or wrong; its functions throw if the model has no such layers.
 * @see Kada et al. 2025, "Robustifying Routers Against Input Perturbations for Sparse Mixture-of-Experts Vision Transformers", IEEE OJSP.
 *
 * @example
 * const objective = withTerms(standard(), [prc({ attack: pgd({ eps, steps: 3, loss: 'kl', start: 'normal', goal: 'lastStep' }) })]);
 */
export function prc(options: PrcOptions = {}): ObjectiveTerm<PrcRecord> {
  expectKnownKeys('prc', options, ['diagonal', 'offDiagonal', 'attack', 'layers']);
  const { diagonal = 0.005, offDiagonal = 0.05, attack, layers } = options;
  expectNumber('prc', 'diagonal', diagonal, 0);
  expectNumber('prc', 'offDiagonal', offDiagonal, 0);
  if (attack !== undefined) expectTrainingAttack('prc', attack);
  return {
    name: 'prc',
    options: { diagonal, offDiagonal, attack: attack === undefined ? null : attackRecord(attack), layers: layers ?? null },
    ...(attack !== undefined && {
      views: { count: () => 1, make: (model, batch, context) => [attackedGates(attack, model, layers, batch, context, 'prc')] },
    }),
    loss: (model, { batch, views, loss }, context) => {
      const names = expectLayers('prc', model, layers);
      const clean = routingOf('prc', names, secondPass(model, batch.inputs, context).routing);
      const [view] = views;
      const others = routingOf('prc', names, view === undefined ? loss.routing : secondPass(model, view, context).routing);
      return tidy(() => addN(clean.map(({ gates }, i) => consistency(gates, others[i]!.gates, diagonal, offDiagonal))));
    },
  };
}
