import { ArgumentError, type MoeModel, expectArgument } from '@moe/core';
import { type Tensor, dispose } from '@tensorflow/tfjs-core';
import type { RouteStability } from '../../moe/route-radius.js';
import { expectOwnRouting } from '../../moe/routed-layer.js';
import { type SmoothingOptions, smoothingPlan } from './options.js';
import { sample } from './sample.js';

/** Stability of the smoothed route of one input. */
export interface SmoothedRoute extends RouteStability {
  readonly layer: string;
  /** Experts of each row of the layer (one, or one a token), on the most frequent route. */
  readonly chosen: readonly (readonly number[])[];
  /** How often that route came among `draws`. */
  readonly count: number;
  readonly draws: number;
}

/** Experts with weight, row by row, as one key for each of `inputs` groups of rows. */
function routeKeys(weights: Float32Array, experts: number, inputs: number): string[] {
  const rows = weights.length / experts / inputs;
  return Array.from({ length: inputs }, (_, i) =>
    Array.from({ length: rows }, (_r, row) => {
      const at = (i * rows + row) * experts;
      const chosen: number[] = [];
      for (let e = 0; e < experts; e++) if (weights[at + e]! > 0) chosen.push(e);
      return chosen.join(',');
    }).join(';'),
  );
}

const parseKey = (key: string): number[][] => key.split(';').map((row) => (row === '' ? [] : row.split(',').map(Number)));

/**
 * Certifies the smoothed router of one layer: the route that comes most often under Gaussian noise on the model's input, and the L2 radius within which it stays the most frequent.
 *
 * @remarks
 * Smoothing of the router alone: a model that takes the smoothed route of an input, and its experts on the input itself, has no jump within the radius, and
 * {@link regionCertificate} certifies it with the bounds of that path. All of `combineWeights` above 0 count as chosen; a layer with many tokens has as many choices to keep at once.
 *
 * @param model   - contract `MoeModel`.
 * @param layer   - name of an MoE layer.
 * @param inputs  - `[B, …]`; kept.
 * @param options - as in {@link certifySmoothed}.
 * @returns One for each input; radius 0 where no route has more than half of the chance for sure.
 * @throws {@link ArgumentError} if there is no such layer, or its routing depends on the batch.
 *
 * @example
 * const routes = await certifySmoothedRoutes(model, 'layer4.0', images, { sigma: 0.25, seed: 1, draws: 2000 });
 */
export async function certifySmoothedRoutes(model: MoeModel, layer: string, inputs: Tensor, options: SmoothingOptions): Promise<SmoothedRoute[]> {
  const caller = 'certifySmoothedRoutes';
  const plan = smoothingPlan(caller, options, inputs.shape[0] ?? 0);
  const info = model.moeLayers.find(({ name }) => name === layer);
  expectArgument(caller, 'layer', info !== undefined, `be one of ${model.moeLayers.map(({ name }) => name).join(', ') || 'none: the model has no MoE layer'}`, layer);
  // A batch-dependent layer before it would make the input of this one depend on the batch as well.
  for (const each of model.moeLayers) expectOwnRouting(caller, each);
  const sampled = await sample(caller, 'smoothing/routes', plan, inputs, async (rows) => {
    const { logits, auxLoss, routing } = model.forward(rows);
    try {
      const own = routing.find((entry) => entry.layer === layer);
      if (own === undefined) throw new ArgumentError(`${caller}: forward must report the routing of layer '${layer}', got ${routing.map((entry) => entry.layer).join(', ') || 'none'}.`);
      return routeKeys((await own.combineWeights.data()) as Float32Array, info.numExperts, rows.shape[0]!);
    } finally {
      dispose([logits, auxLoss, ...routing.flatMap((entry) => [entry.gateLogits, entry.gates, entry.combineWeights, entry.auxLoss])]);
    }
  });
  return sampled.map(({ answer, count, radius }) => ({ radius, norm: 'L2', confidence: 1 - plan.alpha, layer, chosen: parseKey(String(answer)), count, draws: plan.draws }));
}
