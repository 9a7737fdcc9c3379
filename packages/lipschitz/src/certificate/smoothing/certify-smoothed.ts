import { type LogitsFn, type MoeLogitsFn, NumericsError, ShapeError } from '@moe/core';
import { type Tensor, argMax, tidy } from '@tensorflow/tfjs-core';
import { expectOwnRouting } from '../../moe/routed-layer.js';
import type { Certificate } from '../certificate.js';
import { type SmoothingOptions, smoothingPlan } from './options.js';
import { sample } from './sample.js';

/** Certificate of the smoothed classifier for one input. */
export interface SmoothedCertificate extends Certificate {
  /** The class that the smoothed classifier is certified to give; absent if it abstains. */
  readonly prediction?: number;
  /** How often it came among `draws`. */
  readonly count: number;
  readonly draws: number;
}

/**
 * Certifies the smoothed classifier `g(x) = argmax P(f(x + N(0, σ² I)) = c)` around each input, in L2, for any model.
 *
 * @remarks
 * `selectionDraws` choose the class, `draws` others count it; with p the exact lower Clopper–Pearson limit of its chance, g keeps the class within `σ Φ⁻¹(p)` with confidence
 * `1 − alpha`, and abstains where p is at most ½. It needs nothing of the model: jumps of a hard router do no harm. What is certified is g, not the model itself, so train with
 * noise. Noise is neither clipped nor rounded. Draws depend on seed, example id and number of the draw, so results depend neither on the batch size nor on the other inputs. Those of two inputs differ in signs only, which makes
 * them cheap: give it some dozens of inputs at once. Each certificate has its confidence; they are not independent of each other.
 *
 * @param model   - logits function, `[B, …] → [B,M]`; a randomised one gets noise of its own.
 * @param inputs  - `[B, …]`; kept.
 * @param options - see {@link SmoothingOptions}.
 * @throws {@link ArgumentError} if the model has an MoE layer whose routing depends on the batch; {@link AbortedError}.
 * @see {@link https://arxiv.org/abs/1902.02918 | Cohen et al. 2019}, Theorem 1 and Algorithm CERTIFY.
 *
 * @example
 * const [first] = await certifySmoothed(model, images, { sigma: 0.25, seed: 1, draws: 2000 });
 */
export async function certifySmoothed(model: LogitsFn | MoeLogitsFn, inputs: Tensor, options: SmoothingOptions): Promise<SmoothedCertificate[]> {
  const caller = 'certifySmoothed';
  if (inputs.rank < 1) throw new ShapeError(`${caller}: inputs must have a batch axis, got shape [].`);
  const plan = smoothingPlan(caller, options, inputs.shape[0]!);
  if ('moe' in model) for (const layer of model.moe.moeLayers) expectOwnRouting(caller, layer);
  const sampled = await sample(caller, 'smoothing', plan, inputs, async (rows, draw) => {
    const classes = tidy(() => argMax(model(rows, draw), 1));
    try {
      return await classes.data<'int32'>();
    } finally {
      classes.dispose();
    }
  });
  return sampled.map(({ answer, count, chance, radius }) => {
    if (typeof answer !== 'number') throw new NumericsError(`${caller}: answers must be classes, got '${answer}'.`);
    const shared = { norm: 'L2', confidence: 1 - plan.alpha, count, draws: plan.draws } as const;
    const reason = `class ${answer} came in ${count} of ${plan.draws} draws, a chance of at least ${chance.toFixed(4)}`;
    if (radius === 0) return { ...shared, radius, status: 'abstained', reasons: [`${reason}: not surely the most frequent`] };
    return { ...shared, radius, status: 'smoothed', reasons: [reason], prediction: answer };
  });
}
