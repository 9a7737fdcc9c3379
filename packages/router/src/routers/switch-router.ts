// Shapes: T tokens, E experts.
import { expectNumber } from '@moe/core';
import { type Tensor, mul, softmax, tensor } from '@tensorflow/tfjs-core';
import { gatedRouter } from '../plans/gated-router.js';
import { expectRng } from '../plans/noise.js';
import { chooseByToken, tokenChoiceFacts } from '../plans/token-choice.js';
import type { RouteContext, Router } from '../types.js';
import { type TokenChoiceOptions, resolveRouterOptions } from './router-options.js';

export interface SwitchRouterOptions extends Omit<TokenChoiceOptions, 'topK'> {
  /** While training, the router sees each input times U(1 - jitter, 1 + jitter). @defaultValue 0.01 */
  readonly jitter?: number;
}

/**
 * The Switch Transformer's router: each token goes to its best expert, weighted by that expert's gate.
 *
 * @remarks
 * `y = s_e f_e(x)` with `e = argmax s`, `s = softmax(z)`, in training with jitter on what the router sees. Its balance loss is `switchLoss` with weight
 * 0.01. The source always limits capacity (factor 1.25 in training, 2 in evaluation); here only when asked, since a limit in evaluation makes a
 * token's result depend on the others.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2101.03961 | Fedus et al. 2022}, Sec. 2.
 *
 * @example
 * const router = switchRouter({ numExperts: 8, gate: gapFc({ bias: false }), balance: { loss: 'switchLoss', weight: 0.01 }, capacity: { factor: 1.25 } });
 */
export function switchRouter(options: SwitchRouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('switchRouter', options, ['capacity', 'jitter'], 1);
  const { jitter = 0.01 } = options;
  expectNumber('switchRouter', 'jitter', jitter, 0, 1);
  return gatedRouter(
    { ...settings, ...tokenChoiceFacts(settings), name: 'switchRouter', options: { ...json, jitter }, topK: 1, continuous: settings.numExperts === 1 },
    ({ logits, context }) => {
      const gates = softmax(logits);
      const { kept, first, chosen, wanted } = chooseByToken({ caller: 'switchRouter', topK: 1, scores: gates, capacity: settings.capacity }, context);
      return { gates, combineWeights: mul(gates, kept), chosen, wanted, firstChoice: first };
    },
    { expect: (_, context) => expectRng('switchRouter', context, jitter > 0), seen: (inputs, _, context) => ({ inputs: jittered(inputs, jitter, context) }) },
  );
}

function jittered(inputs: Tensor, jitter: number, { training, rng }: RouteContext): Tensor {
  if (!training || jitter === 0) return inputs;
  const factors = new Float32Array(inputs.size);
  const width = inputs.size / inputs.shape[0]!;
  const stream = rng!.stream('router/jitter');
  for (let token = 0; token < inputs.shape[0]!; token++) factors.set(stream.at(token).uniform(width, 1 - jitter, 1 + jitter), token * width);
  return mul(inputs, tensor(factors, inputs.shape));
}
