// Shapes: T rows, E experts, F features.
import { type Tensor, type Tensor1D, type Tensor2D, add, clone, dispose, keep, mul } from '@tensorflow/tfjs-core';
import { detached } from '../internal/detached.js';
import type { GateNetwork, GatePass, GateStatistics, Weights } from '../types.js';

// As in PyTorch: a training pass moves running statistics by a tenth, the variance without bias.
const MOVED = 0.1;

/**
 * Scores of a gate network in a pass, and what the pass makes of its running statistics.
 *
 * @remarks
 * What a router of your own calls within {@link buildPlan}: `updates` go into the decision, and the owner of the weights writes them. In evaluation, and for gates without batch norm, there are
 * none. A running variance moves towards the unbiased variance of the batch.
 *
 * @returns Scores `[T,E]`, and new values by the names of weights; the caller disposes them.
 *
 * @example
 * const { gateLogits, updates } = gateScores(gate, weights, inputs, context);
 */
export function gateScores(gate: GateNetwork, weights: Weights, inputs: Tensor, pass: GatePass): { readonly gateLogits: Tensor2D; readonly updates: Weights } {
  const seen: Record<string, Tensor> = {};
  const observeStatistics = (batchNorm: string, statistics: GateStatistics): void => {
    // The gate's own scope ends before the pass does.
    for (const [name, value] of Object.entries(moved(batchNorm, statistics, weights))) seen[name] = keep(value);
    pass.observeStatistics?.(batchNorm, statistics);
  };
  try {
    const gateLogits = gate.logits(weights, inputs, pass.training ? { ...pass, observeStatistics } : pass);
    return { gateLogits, updates: Object.fromEntries(Object.entries(seen).map(([name, value]) => [name, clone(value)])) };
  } finally {
    dispose(seen);
  }
}

/** Running statistics after a training pass. */
function moved(batchNorm: string, { mean, variance, count }: GateStatistics, weights: Weights): Weights {
  const towards = (name: string, value: Tensor1D): Weights => {
    const key = `${batchNorm}/${name}`;
    return { [key]: detached(value, (seen) => add(mul(weights[key]!, 1 - MOVED), mul(seen, MOVED))) };
  };
  return { ...towards('movingMean', mean), ...towards('movingVariance', mul(variance, count > 1 ? count / (count - 1) : 1)) };
}
