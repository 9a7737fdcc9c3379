// Shapes: B batch, D = 2 numbers of an example, R tokens of an example, E = 2 experts, M = 2 classes.
import { type Scalar, type Tensor, type Tensor2D, add, addN, clone, matMul, mean, mul, oneHot, reshape, scalar, slice, softmax, square, sum, tensor, tensor2d, tidy, variable } from '@tensorflow/tfjs-core';
import { type ForwardOptions, type MoeModel, type Weight, expectArgument, stopGradient, straightThrough, topKMask } from '@moe/core';
import type { TestModel } from './models.js';

export interface ToyMoeOptions {
  /** `[D,E]` */
  readonly router: number[][];
  /** `[D,M]` each. */
  readonly experts: readonly number[][][];
  /** Deviation of noise on the scores while training. @defaultValue 0 */
  readonly noise?: number;
  /** Name of the layer. @defaultValue 'moe' */
  readonly name?: string;
}

function weightsOf(scores: Tensor2D, gate: NonNullable<ForwardOptions['gate']>): Tensor2D {
  const hard = topKMask(stopGradient(scores), 1);
  if (gate === 'detached') return hard;
  if (gate === 'hard') return straightThrough(hard, mul<Tensor2D>(softmax(scores), hard));
  return straightThrough(hard, softmax(mul<Tensor2D>(scores, 1 / gate.temperature)));
}

/** A layer that sends every example to the expert of highest linear score, at weight 1; linear experts; a balance loss of a tenth of the sum of squared mean gates. All can be worked by hand. */
export function toyMoe({ router, experts, noise = 0, name = 'moe' }: ToyMoeOptions): TestModel {
  const make = (weight: string, values: number[][]): Weight => ({ name: `${name}/${weight}`, trainable: true, variable: tidy(() => variable(tensor2d(values))) });
  const numExperts = experts.length;
  const weights = [make('router/kernel', router), ...experts.map((values, e) => make(`expert${e}/kernel`, values))];
  const [gate, ...kernels] = weights.map(({ variable: value }) => value as Tensor as Tensor2D) as [Tensor2D, ...Tensor2D[]];
  const model: MoeModel = {
    moeLayers: [{ name, numExperts, topK: 1, batchInvariant: true, continuous: false }],
    forward: (inputs, { training = false, rng, experts: choices = {}, gate: through = 'hard' } = {}) =>
      tidy(() => {
        const rows = inputs.shape[0]!;
        const x = reshape(inputs, [rows, router.length]) as Tensor2D;
        const choice = choices[name];
        const combine = (combineWeights: Tensor2D) =>
          addN(kernels.map((kernel, e) => mul<Tensor2D>(matMul(x, kernel), slice(combineWeights, [0, e], [rows, 1]))));
        if (choice !== undefined) {
          expectArgument('toyMoe', 'experts', typeof choice === 'number' || 'shape' in choice, 'be an expert or weights', choice);
          const fixed = typeof choice === 'number' ? (oneHot(new Array<number>(rows).fill(choice), numExperts) as Tensor2D) : (choice as Tensor2D);
          return { logits: combine(fixed), routing: [], auxLoss: scalar(0) };
        }
        const drawn = training && noise > 0 ? tensor(rng!.stream(name).normal(rows * numExperts, 0, noise), [rows, numExperts]) : 0;
        const gateLogits = add<Tensor2D>(matMul(x, gate), drawn);
        const gates = softmax(gateLogits);
        const combineWeights = weightsOf(gateLogits, through);
        const auxLoss = mul<Scalar>(sum(square(mean(gates, 0))), 0.1);
        return { logits: combine(combineWeights), routing: [{ layer: name, gateLogits, gates, combineWeights, auxLoss: clone(auxLoss), droppedFraction: 0 }], auxLoss };
      }),
  };
  return {
    model,
    weights,
    values: () => Object.fromEntries(weights.map(({ name: weight, variable: v }) => [weight, Array.from(v.dataSync())])),
    dispose: () => weights.forEach(({ variable: v }) => v.dispose()),
  };
}
