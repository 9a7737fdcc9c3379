import type { Bound, SoundBound } from '@moe/core';
import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { type KernelInput, readKernel } from '../internal/arrays.js';
import { domainRadius, times } from '../internal/sound.js';
import { frobeniusNorm } from '../internal/gram.js';
import { roundUp } from '../internal/rounding.js';
import { type SoundDisagreement, expectExperts } from './disagreement.js';
import { scoreDifferenceBound } from './score-bounds.js';
import { expectDisagreement } from './softmax-mixture.js';

/** Options of {@link softSlotsBound}. */
export interface SoftSlotsOptions {
  /** Scores of slots, `[D, slots]`, with temperature and scale in it. */
  readonly kernel: KernelInput;
  /** Tokens of one example, `[T, D]`. */
  readonly input: KernelInput;
  /** Of the ball around the example, L2 over all tokens. */
  readonly radius: number;
  /** L2 bound of each expert, everywhere: slots are mixtures of tokens, and lie in no ball around one. */
  readonly experts: readonly SoundBound[];
  /** Largest distance of the outputs of two slots, for examples in the ball. */
  readonly disagreement: SoundDisagreement;
}

/**
 * Lipschitz bound of soft slots (Soft MoE) in a ball around one example, L2 over all tokens.
 *
 * @remarks
 * There is none everywhere: slots are means of tokens whose weights depend on the tokens. With T tokens of norm at most R, S slots and scores Φ it is
 * `√T max L (√S + R ‖Φ‖_F) + D_f D_s / 4`. Slot s moves by the weighted mean of what tokens move and by the covariance of tokens and scores, at most R ‖φ_s‖; S means of the same tokens
 * have norm at most √S, T mixtures of the same slots √T; the combine weights are a softmax, as in {@link softmaxMixtureBound}. Own derivation, crude in √T √S.
 *
 * @see {@link https://arxiv.org/abs/2308.00951 | Puigcerver et al. 2023} for Soft MoE, whose normalisation of tokens is not part of it: bound that as a layer before.
 */
export function softSlotsBound(options: SoftSlotsOptions): Bound<'upper'> {
  const caller = 'softSlotsBound';
  expectKnownKeys(caller, options, ['kernel', 'input', 'radius', 'experts', 'disagreement']);
  const { radius, experts, disagreement } = options;
  expectNumber(caller, 'radius', radius, 0);
  const norm = expectExperts(caller, experts);
  expectArgument(caller, 'experts', norm === 'L2', "be bounded in 'L2'", norm);
  expectArgument(caller, 'experts', experts.every(({ domain }) => domain === 'global'), "be bounded on domain 'global'", 'a ball');
  expectDisagreement(caller, disagreement, norm);
  expectArgument(caller, 'disagreement.domain', radius <= domainRadius(disagreement.domain), `hold in a ball of ${radius}`, domainRadius(disagreement.domain));
  const kernel = readKernel(caller, options.kernel, ['in', 'slots']);
  const input = readKernel(caller, options.input, ['tokens', 'in']);
  const [size, slots] = kernel.shape as [number, number];
  const tokens = input.shape[0]!;
  expectArgument(caller, 'input', input.shape[1] === size, `have tokens of ${size} numbers, one a row of the kernel`, input.shape[1]);
  const longest = Math.max(...Array.from({ length: tokens }, (_, t) => frobeniusNorm(input.values.subarray(t * size, (t + 1) * size))));
  const dispatched = Math.sqrt(slots) + (longest + radius) * frobeniusNorm(kernel.values);
  const largest = Math.max(...experts.map(({ value }) => value));
  const router = scoreDifferenceBound({ kernel });
  const value = roundUp(Math.sqrt(tokens) * times(largest, dispatched) + times(disagreement.value, router.value) / 4, 10);
  return { value, status: 'upper', norm, domain: { norm, radius }, method: 'soft-slots' };
}
