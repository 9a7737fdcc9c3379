import { type ForwardOptions, type LogitsFn, type MoeModel, expectKnownKeys } from '@moe/core';
import { tidy } from '@tensorflow/tfjs-core';

/** How the model is steered; see `ForwardOptions` of `@moe/core`. */
export type LogitsFnOptions = Pick<ForwardOptions, 'experts' | 'gate'>;

/**
 * A model as a plain function to its logits, in evaluation mode: what attacks and bounds take.
 *
 * @param model   - see {@link moeModel}.
 * @param options - fixed experts, or a relaxed gate, for every call.
 * @returns Function `[B,…] → [B,M]` that changes nothing and returns one tensor, owned by its caller.
 * @throws {@link ArgumentError} if an option is unknown; bad values throw when the function is called.
 *
 * @example
 * const expert2 = logitsFn(model, { experts: { 'layer4.1': 2 } });
 */
export function logitsFn(model: MoeModel, options: LogitsFnOptions = {}): LogitsFn {
  expectKnownKeys('logitsFn', options, ['experts', 'gate']);
  return (inputs) => tidy(() => model.forward(inputs, options).logits);
}
