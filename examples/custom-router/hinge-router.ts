// Shapes: T rows, E experts.
import { type Router, buildPlan, columnEntropyLoss, gapFc, shutExperts } from '@moe/router';
import { type Scalar, type Tensor2D, add, div, max, mul, relu, sub, sum, tensor1d } from '@tensorflow/tfjs-core';

/**
 * Weights `relu(z_e - max z + margin)` over their sum: a row with a clear winner runs one expert, an undecided row several, and no weight jumps.
 *
 * @param margin  - how far behind the best score an expert may be and still take part; > 0.
 * @param balance - factor of the balance loss, minus the entropy of the mean weights.
 */
export function hingeRouter(numExperts: number, { margin, balance }: { readonly margin: number; readonly balance: number }): Router {
  const gate = gapFc();
  return {
    name: 'hingeRouter',
    options: { numExperts, margin, balance },
    numExperts,
    topK: numExperts, // the most that a row runs
    batchInvariant: true,
    continuous: true,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route: (weights, inputs, context) =>
      buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const scores = shutExperts(gateLogits, context.allowed);
        const closeness = relu(add(sub(scores, max(scores, 1, true)), margin));
        const gates = div(closeness, sum(closeness, 1, true)) as Tensor2D;
        const auxLoss = mul(columnEntropyLoss(gates, gates, context.mask && { mask: tensor1d(context.mask.map(Number)) }), balance) as Scalar;
        const decision = { gateLogits, gates, combineWeights: gates, auxLoss, relaxable: false };
        return context.onDevice ? decision : { ...decision, chosen: gates.dataSync() };
      }, context),
  };
}
