// Shapes: B examples of N rows, T = B·N, E experts.
import { straightThrough } from '@moe/core';
import { type Tensor2D, div, maximum, mul, reshape, softmax, sum, tensor, tile } from '@tensorflow/tfjs-core';
import { shutExperts } from '../plans/build-plan.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
import { topKMaskOnDevice } from '../plans/on-device.js';
import type { RouteContext, Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

/**
 * One expert for a whole example: its rows share a pathway, with weight 1 and a straight-through gradient.
 *
 * @remarks
 * The scores of an example are the mean of its rows' scores; `context.rowsPerExample` says how many those are, and with 1 it is top-1 choice. Give the same gate weights to
 * several layers, or one gate's output to them, for a pathway through the network. Nothing is read from the device when `onDevice` is set.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range.
 * @see {@link https://arxiv.org/abs/2308.10110 | Zhang et al. 2023} (AdvMoE); unlike its released code, only the chosen expert runs.
 *
 * @example
 * const router = pathwayRouter({ numExperts: 2, gate: gapFc() });
 */
export function pathwayRouter(options: RouterOptions): Router {
  const { json, ...settings } = resolveRouterOptions('pathwayRouter', options, [], 1);
  const facts = { ...settings, name: 'pathwayRouter', options: json, topK: 1, batchInvariant: true, continuous: false, gradientPath: 'straight-through' as const };
  return gatedRouter(facts, ({ gateLogits: scores, context }) => {
    const gateLogits = meanOfExamples(scores, context.rowsPerExample ?? 1, context.mask);
    const gates = softmax(shutExperts(gateLogits, context.allowed));
    const best = topKMaskOnDevice(gates, 1);
    const decision = { gateLogits, gates, combineWeights: straightThrough(best, mul(gates, best) as Tensor2D), firstChoice: best };
    if (context.onDevice === true) return decision;
    expectFiniteGates('pathwayRouter', gates.dataSync(), settings.numExperts);
    return { ...decision, chosen: best.dataSync() };
  });
}

/** Each row gets the mean of the rows of its example that count, `[T,E]`. */
function meanOfExamples(scores: Tensor2D, rowsPerExample: number, mask: RouteContext['mask']): Tensor2D {
  if (rowsPerExample === 1) return scores;
  const [numTokens, numExperts] = scores.shape;
  const counts = tensor(mask === undefined ? new Array<number>(numTokens).fill(1) : mask.map(Number), [numTokens / rowsPerExample, rowsPerExample, 1]);
  const total = sum(mul(reshape(scores, [-1, rowsPerExample, numExperts]), counts), 1, true);
  return reshape(tile(div(total, maximum(sum(counts, 1, true), 1)), [1, rowsPerExample, 1]), [numTokens, numExperts]);
}
