// Shapes: B examples of N rows, E experts of S slots, W numbers per row.
import { expectArgument, expectShape } from '@moe/core';
import { type Tensor, type Tensor3D, concat, matMul, reshape, slice } from '@tensorflow/tfjs-core';
import type { ExpertFn, SoftSlots } from '../types.js';
import { runExpert } from './run-expert.js';

/**
 * Fills each slot with its mixture of rows, runs every expert on its slots, and mixes the results back: `y = C · f(Dᵀ x)`.
 *
 * @see {@link https://arxiv.org/abs/2401.15969 | Liu et al. 2024}, the form that all vision routers share.
 */
export function runSoft({ dispatch, combine }: SoftSlots, rows: Tensor, experts: readonly ExpertFn[]): Tensor {
  const { B, N, slots } = expectShape('dispatch', { 'slots.dispatch': dispatch, 'slots.combine': combine }, ['B', 'N', 'slots']);
  const [numRows = 0, ...rowShape] = rows.shape;
  expectArgument('dispatch', 'rows', numRows === B * N, `have the plan's ${B} × ${N} rows`, rows.shape);
  expectArgument('dispatch', 'slots', slots % experts.length === 0, `be a multiple of the ${experts.length} experts`, slots);
  const perExpert = slots / experts.length;
  const mixtures = matMul(dispatch, reshape(rows, [B, N, -1]) as Tensor3D, true);
  const width = mixtures.shape[2] as number;
  const outputs = experts.map((_, expert) => {
    const own = reshape(slice(mixtures, [0, expert * perExpert, 0], [B, perExpert, width]), [B * perExpert, ...rowShape]);
    return runExpert(experts, expert, own);
  });
  const outputShape = outputs[0]!.shape.slice(1);
  expectShape('dispatch', Object.fromEntries(outputs.map((output, i) => [`output of expert ${i}`, output])), ['*', ...outputShape]);
  const all = concat(outputs.map((output) => reshape(output, [B, perExpert, -1])), 1) as Tensor3D;
  return reshape(matMul(combine, all), [numRows, ...outputShape]);
}
