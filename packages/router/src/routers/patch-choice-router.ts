// Shapes: T tokens (patches), E experts, L patches of an expert, N patches of an image.
import { expectArgument, expectInteger } from '@moe/core';
import { type Tensor2D, mul, reshape, softmax, tensor2d, transpose } from '@tensorflow/tfjs-core';
import { largestOfColumns } from '../internal/largest-of-columns.js';
import { softmaxWhere } from '../plans/build-plan.js';
import { expectFiniteGates } from '../plans/expect-context.js';
import { gatedRouter } from '../plans/gated-router.js';
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
  const { json, ...settings } = resolveRouterOptions('patchChoiceRouter', options, ['patches'], 1);
  const { patches } = options;
  expectInteger('patchChoiceRouter', 'patches', patches, 2);
  return gatedRouter(
    { ...settings, name: 'patchChoiceRouter', options: { ...json, patches }, topK: patches, batchInvariant: true, continuous: false, onHost: 'experts choose' },
    ({ gateLogits, logits, context }) => {
      const { rowsPerExample = 1 } = context;
      const [numTokens, numExperts] = gateLogits.shape;
      const values = gateLogits.dataSync();
      expectFiniteGates('patchChoiceRouter', values, numExperts);
      const chosen = largestOfColumns(values, numExperts, { groupSize: rowsPerExample, count: patches, ...context });
      const mask = tensor2d(chosen, [numTokens, numExperts]);
      // A softmax along the patches of each image and expert: [B,N,E] → [B·E,N] and back.
      const byExpert = (x: Tensor2D): Tensor2D => reshape(transpose(reshape(x, [-1, rowsPerExample, numExperts]), [0, 2, 1]), [-1, rowsPerExample]);
      const byPatch = (x: Tensor2D): Tensor2D => reshape(transpose(reshape(x, [-1, numExperts, rowsPerExample]), [0, 2, 1]), [numTokens, numExperts]);
      const combineWeights = mul(byPatch(softmaxWhere(byExpert(gateLogits), byExpert(mask))), mask) as Tensor2D;
      return { gates: softmax(logits), combineWeights, chosen, relaxable: false };
    },
    {
      expect: ({ shape: [numTokens = 0] }, { rowsPerExample = 1 }) =>
        expectArgument('patchChoiceRouter', 'context.rowsPerExample', rowsPerExample >= patches && numTokens % rowsPerExample === 0, `divide the ${numTokens} rows and be at least ${patches}`, rowsPerExample),
    },
  );
}
