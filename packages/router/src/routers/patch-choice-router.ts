// Shapes: T tokens (patches), E experts, L patches of an expert, N patches of an image.
import { expectArgument, expectInteger } from '@moe/core';
import { type Tensor2D, mul, reshape, softmax, tensor2d, transpose } from '@tensorflow/tfjs-core';
import { largestOfColumns } from '../internal/largest-of-columns.js';
import { balanceTotal } from '../losses/balance-option.js';
import { buildPlan, shutExperts, softmaxWhere } from '../plans/build-plan.js';
import { expectFiniteGates, expectGateContext, expectOnHost } from '../plans/expect-context.js';
import { topKMaskOnDevice } from '../plans/on-device.js';
import type { Router } from '../types.js';
import { type RouterOptions, resolveRouterOptions } from './router-options.js';

export interface PatchChoiceRouterOptions extends RouterOptions {
  /** Patches that each expert takes of every image, L ≥ 2; set `context.rowsPerExample` to the number of patches, at least as many. */
  readonly patches: number;
}

/**
 * Patch-level expert choice: each expert takes the L patches of an image with the largest scores for it, weighted by a softmax over those L.
 *
 * @remarks
 * `w_te = exp(z_te) / Σ exp(z_se)` over the L chosen patches s of the same image: the weights of an expert sum to 1 in every image, not those of a patch. Images do not see each
 * other. L = 1 is refused: its weight would always be 1, and the gate would not learn from the task. `topK` is L.
 *
 * @returns A router; `init` and `route` are pure functions of the gate's weights.
 * @throws {@link ArgumentError} if an option is out of range, or an image has fewer patches.
 * @see {@link https://arxiv.org/abs/2306.04073 | Chowdhury et al. 2023} (pMoE)
 *
 * @example
 * const router = patchChoiceRouter({ numExperts: 8, patches: 4, gate: gapFc({ bias: false }) });
 */
export function patchChoiceRouter(options: PatchChoiceRouterOptions): Router {
  const { numExperts, gate, balance, json } = resolveRouterOptions('patchChoiceRouter', options, ['patches'], 1);
  const { patches } = options;
  expectInteger('patchChoiceRouter', 'patches', patches, 2);
  return {
    name: 'patchChoiceRouter',
    options: { ...json, patches },
    numExperts,
    topK: patches,
    batchInvariant: true,
    continuous: false,
    gradientPath: 'gate',
    init: (inputShape, rng) => gate.init(inputShape, numExperts, rng),
    route(weights, inputs, context) {
      expectOnHost('patchChoiceRouter', context, 'experts choose');
      expectGateContext('patchChoiceRouter', numExperts, context);
      const { rowsPerExample = 1 } = context;
      expectArgument('patchChoiceRouter', 'context.rowsPerExample', rowsPerExample >= patches && inputs.shape[0]! % rowsPerExample === 0, `divide the ${inputs.shape[0]} rows and be at least ${patches}`, rowsPerExample);
      return buildPlan(() => {
        const gateLogits = gate.logits(weights, inputs);
        const values = gateLogits.dataSync();
        expectFiniteGates('patchChoiceRouter', values, numExperts);
        const [numTokens] = gateLogits.shape;
        const chosen = largestOfColumns(values, numExperts, { groupSize: rowsPerExample, count: patches, ...context });
        const mask = tensor2d(chosen, [numTokens, numExperts]);
        // A softmax along the patches of each image and expert: [B,N,E] → [B·E,N] and back.
        const byExpert = (x: Tensor2D): Tensor2D => reshape(transpose(reshape(x, [-1, rowsPerExample, numExperts]), [0, 2, 1]), [-1, rowsPerExample]);
        const byPatch = (x: Tensor2D): Tensor2D => reshape(transpose(reshape(x, [-1, numExperts, rowsPerExample]), [0, 2, 1]), [numTokens, numExperts]);
        const combineWeights = mul(byPatch(softmaxWhere(byExpert(gateLogits), byExpert(mask))), mask) as Tensor2D;
        const gates = softmax(shutExperts(gateLogits, context.allowed));
        const auxLoss = balanceTotal(balance, { gateLogits, gates, combineWeights, firstChoice: topKMaskOnDevice(gates, 1) }, context);
        return { gateLogits, gates, combineWeights, chosen, auxLoss, relaxable: false };
      }, context);
    },
  };
}
