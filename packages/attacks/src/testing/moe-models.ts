// Shapes: B batch, D numbers of one example, R tokens of an example, E experts.
import { type Draw, type ForwardOptions, type ForwardResult, type LogitsFn, type MoeLayerInfo, type MoeLogitsFn, stopGradient, straightThrough, topKMask } from '@moe/core';
import { type Scalar, type Tensor, type Tensor2D, add, clone, div, expandDims, matMul, mean, mul, oneHot, reshape, scalar, slice, softmax, sqrt, square, sub, sum, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';

/** A layer that sends every example to the K experts of highest affine score, weighted by a softmax over these; no gradient through the choice. */
export interface ToyMoe {
  /** `[D,E]`. */
  readonly router: number[][];
  /** `[E]`. */
  readonly bias: number[];
  readonly experts: readonly LogitsFn[];
  readonly topK?: number;
  /** An example is cut into so many tokens of equal length, which the router sees one by one; the experts see the whole example, and an example's weights are the means of its tokens'. @defaultValue 1 */
  readonly tokens?: number;
  /** Tokens that an expert runs of a batch, the first that choose it; K = 1. @defaultValue all */
  readonly capacity?: number;
  /** Balance loss of a pass, from the probabilities of its tokens `[R,E]`. @defaultValue none */
  readonly auxLoss?: (gates: Tensor2D) => Scalar;
  /** Whether the weight of a single expert has the gradient of a softmax, as it may have in training; the deployed model still has none. @defaultValue false */
  readonly straightThrough?: boolean;
  /** Deviation of the noise on the scores, drawn from the pass's `rng` by row. @defaultValue 0 */
  readonly noise?: number;
}

type Gate = NonNullable<ForwardOptions['gate']>;

function weightsOf(scores: Tensor2D, topK: number, gate: Gate, learns: boolean): Tensor2D {
  const mask = topKMask(stopGradient(scores), topK);
  // One weight is exactly 1, with a gradient of exactly 0, which a softmax is not on every engine.
  const hard = topK === 1 ? (learns ? straightThrough(mask, softmax(scores)) : mask) : softmax(add(scores, mul(sub(mask, 1), 1e9)) as Tensor2D);
  if (gate === 'hard') return hard;
  if (gate === 'detached') return stopGradient(hard);
  const centred = sub(scores, mean(scores, 1, true));
  const unit = gate.relative === true ? stopGradient(sqrt(mean(square(centred), 1, true))) : scalar(1);
  return straightThrough(hard, softmax(div(centred, mul(unit, gate.temperature)) as Tensor2D));
}

/** Weights without those of tokens that come when their expert is full. */
function withinCapacity(weights: Tensor2D, capacity: number): Tensor2D {
  if (capacity === Infinity) return weights;
  const [, numExperts] = weights.shape;
  const counts = new Array<number>(numExperts).fill(0);
  const kept = Array.from(weights.dataSync(), (weight, i) => (weight > 0 && ++counts[i % numExperts]! <= capacity ? 1 : 0));
  return mul(weights, tensor2d(kept, weights.shape));
}

/** Share of the tokens that no expert runs. */
const dropped = (weights: Tensor2D): number => 1 - Array.from(sum(weights, 1).dataSync()).filter((total) => total > 0).length / weights.shape[0];

/** A model of one such layer, `[B,…] → [B,M]`. */
export function toyMoe({ router, bias, experts, topK = 1, tokens = 1, capacity = Infinity, straightThrough: learns = false, noise = 0, auxLoss = () => scalar(0) }: ToyMoe): MoeLogitsFn {
  const numExperts = bias.length;
  const info: MoeLayerInfo = { name: 'moe', numExperts, topK, batchInvariant: true, continuous: topK === numExperts };
  const forward = (inputs: Tensor, { experts: choices = {}, gate = 'hard', rng }: ForwardOptions = {}): ForwardResult => {
    const rows = inputs.shape[0]!;
    const choice = choices['moe'];
    const live = (): { readonly scores: Tensor2D; readonly weights: Tensor2D } => {
      const scores = add(matMul(reshape(inputs, [rows * tokens, -1]) as Tensor2D, tensor2d(router)), tensor1d(bias)) as Tensor2D;
      const noisy = noise === 0 || rng === undefined ? scores : (add(scores, tensor2d(rng.normal(rows * tokens * numExperts, 0, noise), [rows * tokens, numExperts])) as Tensor2D);
      return { scores: noisy, weights: withinCapacity(weightsOf(noisy, topK, gate, learns), capacity) };
    };
    const routed = choice === undefined ? live() : undefined;
    const weights = routed?.weights ?? (typeof choice === 'number' ? (oneHot(new Array<number>(rows * tokens).fill(choice), numExperts) as Tensor2D) : (choice as Tensor2D));
    const shares = mean(reshape(weights, [rows, tokens, numExperts]), 1);
    const outputs = experts.map((expert, e) => mul(expert(inputs), slice(shares as Tensor2D, [0, e], [rows, 1])));
    const logits = outputs.reduce((total, next) => add(total, next)) as Tensor2D;
    const routing = routed === undefined ? [] : [{ layer: 'moe', gateLogits: clone(routed.scores), gates: softmax(routed.scores), combineWeights: clone(weights), auxLoss: auxLoss(softmax(routed.scores)), droppedFraction: dropped(routed.weights) }];
    return { logits, routing, auxLoss: routed === undefined ? scalar(0) : auxLoss(softmax(routed.scores)) };
  };
  return Object.assign((inputs: Tensor, draw?: Draw) => tidy(() => forward(inputs, { ...(draw && { rng: draw.rng }), ...(learns && { gate: 'detached' }) }).logits), { moe: { moeLayers: [info], forward } });
}

/** The same logits for every input, as an expert whose gradient is zero. */
export const constantExpert =
  (logits: readonly number[]): LogitsFn =>
  (x) =>
    add(mul(expandDims(sum(reshape(x, [x.shape[0]!, -1]), 1), 1), 0), tensor2d([[...logits]])) as Tensor2D;

/** A model behind a layer of two equal experts, so that its routes change nothing. */
export function asMoe(model: LogitsFn, size: number, auxLoss?: ToyMoe['auxLoss']): MoeLogitsFn {
  const router = Array.from({ length: size }, (_, i) => [Math.cos(i), Math.sin(3 * i)]);
  return toyMoe({ router, bias: [0.2, 0], experts: [model, model], ...(auxLoss && { auxLoss }) });
}
