// Shapes: B batch, E experts.
import { type Objective, pgdAdversarial } from '@moe/adv-train';
import { pgd } from '@moe/attacks';
import { type Scalar, type Tensor1D, add, cast, losses, mod, oneHot } from '@tensorflow/tfjs-core';
import { EXPERTS } from './network.js';

/**
 * Adversarial training whose router learns, on the same attacked images, to send class y to expert `y mod E`: the supervision of AdvMoE's released code (arXiv 2308.10110).
 *
 * @param eps - radius, Linf.
 */
export function routedByClass(eps: number): Objective {
  const base = pgdAdversarial({ attack: pgd({ eps, steps: 3, goal: 'maxLoss' }), batchNorm: 'running' });
  return {
    ...base,
    name: 'routed-by-class',
    loss(model, inputs, batch, context) {
      const found = base.loss(model, inputs, batch, context);
      const experts = oneHot(cast(mod(batch.labels, EXPERTS), 'int32') as Tensor1D, EXPERTS);
      const router = losses.softmaxCrossEntropy(experts, found.routing[0]!.gateLogits) as Scalar;
      return { ...found, total: add(found.total, router), terms: { ...found.terms, router } };
    },
  };
}
