import { type ForwardOptions, type LogitsFn, type MoeLogitsFn, type MoeModel, expectKnownKeys } from '@moe/core';
import { tidy } from '@tensorflow/tfjs-core';

/** How the model is steered; see `ForwardOptions` of `@moe/core`. */
export type LogitsFnOptions = Pick<ForwardOptions, 'experts' | 'gate'>;

/**
 * A model as a plain function to its logits, in evaluation mode: what attacks and bounds take.
 *
 * @remarks
 * Routers that draw in evaluation too take their noise from the second argument. A function of the model as it is brings the model along as `moe`, so that attacks on routing can look inside; one that is steered does not.
 *
 * @param model   - see {@link moeModel}.
 * @param options - fixed experts, or a relaxed gate, for every call. @defaultValue none
 * @returns Function `[B,…] → [B,M]` that changes nothing and returns one tensor, owned by its caller.
 * @throws {@link ArgumentError} if an option is unknown; bad values throw when the function is called.
 *
 * @example
 * const expert2 = logitsFn(model, { experts: { 'layer4.1': 2 } });
 */
export function logitsFn(model: MoeModel): MoeLogitsFn;
export function logitsFn(model: MoeModel, options: LogitsFnOptions): LogitsFn;
export function logitsFn(model: MoeModel, options?: LogitsFnOptions): LogitsFn {
  if (options !== undefined) expectKnownKeys('logitsFn', options, ['experts', 'gate']);
  const logits: LogitsFn = (inputs, draw) => tidy(() => model.forward(inputs, { ...options, ...(draw && { rng: draw.rng }) }).logits);
  return options === undefined ? Object.assign(logits, { moe: model }) : logits;
}
