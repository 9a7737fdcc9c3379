// Shapes: B batch, D = 4 features, E = 2 experts, M = 3 classes.
import { type Scalar, type Tensor, type Tensor2D, add, argMax, cast, matMul, mean, mul, oneHot, reshape, slice, softmax, square, sum, tidy } from '@tensorflow/tfjs-core';
import { type MoeModel, stopGradient } from '@moe/core';

const [D, E, M] = [4, 2, 3];

/** Shape of what {@link matrixMoe} takes. */
export const MATRIX_MOE_SHAPE = [D, E * (1 + M)] as const;

/** A top-1 layer of linear experts as a function of all its weights, `[D, E·(1 + M)]`: the gate's columns first, then each expert's. Draws nothing, and knows experts that are fixed by number, or weighted. */
export function matrixMoe(weights: Tensor): MoeModel {
  const columns = (from: number, count: number): Tensor2D => slice(weights as Tensor2D, [0, from], [D, count]);
  return {
    moeLayers: [{ name: 'moe', numExperts: E, topK: 1, batchInvariant: true, continuous: false }],
    forward: (inputs, { experts = {} } = {}) =>
      tidy(() => {
        const x = reshape(inputs, [inputs.shape[0]!, D]) as Tensor2D;
        const outputs = Array.from({ length: E }, (_, e) => matMul(x, columns(E + e * M, M)) as Tensor2D);
        const fixed = experts.moe;
        if (typeof fixed === 'number') return { logits: outputs[fixed]!, routing: [], auxLoss: mul<Scalar>(sum(weights), 0) };
        const mix = (combineWeights: Tensor2D): Tensor2D => outputs.map((output, e) => mul<Tensor2D>(output, slice(combineWeights, [0, e], [x.shape[0], 1]))).reduce((a, b) => add<Tensor2D>(a, b));
        if (fixed !== undefined && 'shape' in fixed) return { logits: mix(fixed), routing: [], auxLoss: mul<Scalar>(sum(weights), 0) };
        const gateLogits = matMul(x, columns(0, E)) as Tensor2D;
        const gates = softmax(gateLogits);
        const chosen = stopGradient(cast(oneHot(argMax(gateLogits, 1) as never, E), 'float32') as Tensor2D);
        const combineWeights = mul<Tensor2D>(gates, chosen);
        const auxLoss = mul<Scalar>(sum(square(mean(gates, 0))), 0.1);
        const routing = [{ layer: 'moe', gateLogits, gates, combineWeights, auxLoss: mul<Scalar>(auxLoss, 1), droppedFraction: 0 }];
        return { logits: mix(combineWeights), routing, auxLoss };
      }),
  };
}
