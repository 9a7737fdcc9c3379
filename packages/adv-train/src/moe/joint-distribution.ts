// Shapes: B batch, M classes, R tokens of an example, E experts.
import { type Tensor2D, add, concat, log, logSoftmax, maximum, reshape, tidy } from '@tensorflow/tfjs-core';
import type { LogitsFn, MoeModel } from '@moe/core';
import { expectLayers, routingOf } from './routing-pairs.js';

const TINY = 1e-12;

/**
 * The model as a function whose Kullback-Leibler divergence between two inputs is, up to a factor, the sum of those of its gates, and of its classes where `classes`: an attack
 * with `loss: 'kl'` then moves all of them.
 *
 * @remarks
 * Distributions p_i side by side, each as likely as its weight w_i, are one distribution, and `KL(P ‖ Q) = Σ w_i KL(p_i ‖ q_i)`. The tokens of a layer share the weight of one.
 *
 * @returns Log-probabilities `[B, M + Σ R·E]` in evaluation mode, the classes first.
 */
export function jointDistribution(caller: string, model: MoeModel, layers: readonly string[] | undefined, { classes }: { readonly classes: boolean }): LogitsFn {
  const names = expectLayers(caller, model, layers);
  const parts = names.length + Number(classes);
  return (inputs) =>
    tidy(() => {
      const rows = inputs.shape[0]!;
      const { logits, routing } = model.forward(inputs);
      const gates = routingOf(caller, names, routing).map((layer) => {
        const tokens = layer.gates.shape[0] / rows;
        return add(reshape(log(maximum(layer.gates, TINY)), [rows, -1]), -Math.log(parts * tokens)) as Tensor2D;
      });
      return concat([...(classes ? [add<Tensor2D>(logSoftmax(logits), -Math.log(parts))] : []), ...gates], 1);
    });
}
