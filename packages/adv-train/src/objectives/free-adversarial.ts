// Shapes: B batch, S rows of the perturbation that is carried.
import { type Tensor, add, clipByValue, concat, mul, sign, slice, sub, tensor, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { type Bounds, type Rng, expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { classificationLoss } from './classification-loss.js';
import type { ObjectiveStep, SteppedObjective } from './objective.js';

/** Options of {@link freeAdversarial}. */
export interface FreeAdversarialOptions {
  /** Radius of the L-inf ball, in input units. */
  readonly eps: number;
  /** Times that each batch is trained on, m in the paper. @defaultValue 8 (Shafahi et al. 2019, CIFAR-10; 4 on ImageNet and in *Robust Experts*) */
  readonly replays?: number;
  /** Length of a step of the perturbation, in input units. @defaultValue eps (Shafahi et al. 2019) */
  readonly stepSize?: number;
  /** Range of valid inputs. @defaultValue [0, 1] */
  readonly bounds?: Bounds;
  /** Probability that a row of a new batch starts without the perturbation of the batch before, drawn for each example and epoch. @defaultValue 0 */
  readonly reset?: number;
  /** See {@link CrossEntropyOptions}. @defaultValue 0 */
  readonly labelSmoothing?: number;
  /** Factor of the model's balance losses, which are those of the perturbed batch. @defaultValue 1 */
  readonly auxWeight?: number;
  /**
   * Reproduces the code released with *Robust Experts*, which counts the balance losses twice, and runs as many epochs as other methods do instead of dividing their number by `replays`: pass
   * `epochs` accordingly. @defaultValue false
   */
  readonly legacy?: boolean;
}

/** What of {@link FreeAdversarialOptions} is recorded. */
export type FreeAdversarialRecord = Required<FreeAdversarialOptions>;

/** First rows of the perturbation that is carried `[S,…]`, zero where it has too few, for inputs `[B,…]`. */
function rowsFor(inputs: Tensor, carried: Tensor | undefined): Tensor {
  if (carried === undefined) return zerosLike(inputs);
  const rows = inputs.shape[0]!;
  const missing = rows - carried.shape[0]!;
  const origin = inputs.shape.map(() => 0);
  if (missing > 0) return concat([carried, zerosLike(slice(inputs, origin, [missing, ...inputs.shape.slice(1)]))]);
  return slice(carried, origin, inputs.shape);
}

/** 0 with the given probability, else 1, for each row, `[B,1,…]`. */
function keptRows(rng: Rng, ids: Int32Array, probability: number, rank: number): Tensor {
  const draws = Float32Array.from(ids, (id) => (rng.at(id).uniform(1)[0]! < probability ? 0 : 1));
  return tensor(draws, [ids.length, ...Array.from({ length: rank - 1 }, () => 1)]);
}

/**
 * Free adversarial training: one backward pass moves both the weights and the perturbation of the inputs, which lasts from batch to batch.
 *
 * @remarks
 * Each batch is trained on m times; each time the weights move by the gradient at x + δ and δ becomes `Π(δ + stepSize · sign(∇_δ))`, Alg. 1 of Shafahi et al. δ belongs to places in the batch, not to
 * examples, so that a run depends on how examples are batched; it starts at 0, and is part of a checkpoint. A smaller batch takes and moves its first rows. With m updates a batch, train
 * for 1/m of the epochs of other methods; the schedule's rate counts per batch. The balance losses are part of what moves δ, as they are part of the one backward pass.
 *
 * @throws {@link ArgumentError} if `eps` is missing or a number is out of range.
 * @see {@link https://arxiv.org/abs/1904.12843 | Shafahi et al. 2019}.
 *
 * @example
 * const objective = freeAdversarial({ eps: 8 / 255, replays: 8 });
 */
export function freeAdversarial(options: FreeAdversarialOptions): SteppedObjective<FreeAdversarialRecord> {
  expectKnownKeys('freeAdversarial', options, ['eps', 'replays', 'stepSize', 'bounds', 'reset', 'labelSmoothing', 'auxWeight', 'legacy']);
  const { eps, replays = 8, stepSize = eps, bounds = [0, 1], reset = 0, labelSmoothing = 0, auxWeight = 1, legacy = false } = options;
  expectNumber('freeAdversarial', 'eps', eps, 0);
  expectInteger('freeAdversarial', 'replays', replays, 1);
  expectNumber('freeAdversarial', 'stepSize', stepSize, 0);
  expectArgument('freeAdversarial', 'bounds', Array.isArray(bounds) && bounds.length === 2 && bounds[0] < bounds[1], 'be [low, high]', bounds);
  expectNumber('freeAdversarial', 'reset', reset, 0, 1);
  expectNumber('freeAdversarial', 'labelSmoothing', labelSmoothing, 0, 1);
  expectNumber('freeAdversarial', 'auxWeight', auxWeight, 0);
  expectArgument('freeAdversarial', 'legacy', typeof legacy === 'boolean', 'be true or false', legacy);
  const [low, high] = bounds;
  const weights = { labelSmoothing, auxWeight: legacy ? 2 * auxWeight : auxWeight };

  const replay = (index: number): ObjectiveStep => ({
    perturb: (_model, { inputs, ids }, { carried, exampleRng }) =>
      tidy(() => {
        const delta = rowsFor(inputs, carried);
        const start = index === 0 && reset > 0 ? mul(delta, keptRows(exampleRng.stream('reset'), ids, reset, inputs.rank)) : delta;
        return clipByValue(add(inputs, start), low, high);
      }),
    loss: (model, inputs, { labels }, { batchRng }) => classificationLoss(model, inputs, labels, batchRng.stream('forward'), weights),
    carry: (inputs, gradient, { inputs: clean }, { carried }) =>
      tidy(() => {
        const delta = clipByValue(add(sub(inputs, clean), mul(sign(gradient), stepSize)), -eps, eps);
        const within = sub(clipByValue(add(clean, delta), low, high), clean);
        const rows = clean.shape[0]!;
        if (carried === undefined || carried.shape[0]! <= rows) return within;
        return concat([within, slice(carried, [rows, ...clean.shape.slice(1).map(() => 0)])]);
      }),
  });
  return {
    name: 'free-adversarial',
    options: { eps, replays, stepSize, bounds, reset, labelSmoothing, auxWeight, legacy },
    steps: Array.from({ length: replays }, (_, index) => replay(index)),
  };
}
