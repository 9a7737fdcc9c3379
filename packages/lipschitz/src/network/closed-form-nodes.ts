import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';
import { type VectorInput, readVector } from '../internal/arrays.js';
import { type ConvAxis, type Pair, convOperator, meetings, pairOf } from '../internal/conv-geometry.js';
import { roundUp } from '../internal/rounding.js';
import { closedForm, everywhere } from './constant-nodes.js';
import type { ConstantNode } from './nodes.js';

/** Largest share of one input in all outputs, along one axis; windows at the border count the pixels that they have. */
function largestShare(axis: ConvAxis): number {
  const pairs = meetings(axis);
  const counts = new Map<number, number>();
  for (const { output } of pairs) counts.set(output, (counts.get(output) ?? 0) + 1);
  const shares = new Map<number, number>();
  for (const { output, input } of pairs) shares.set(input, (shares.get(input) ?? 0) + 1 / counts.get(output)!);
  return Math.max(...shares.values());
}

/**
 * Describes average pooling: `1 / √k` in L2 for windows of k pixels that do not overlap, 1 in Linf.
 *
 * @remarks
 * As tfjs does it, a window over the border takes the mean of the pixels inside the image. Where windows overlap or are cut, L1 is the largest sum of the shares of one pixel, which is exact, and
 * L2 the root of L1 · Linf, which is not.
 */
export function averagePool(options: { readonly name?: string; readonly inputSize: Pair; readonly poolSize: Pair; readonly strides?: Pair; readonly padding?: 'same' | 'valid' }): ConstantNode {
  expectKnownKeys('averagePool', options, ['name', 'inputSize', 'poolSize', 'strides', 'padding']);
  const { name = 'averagePool', inputSize, poolSize, strides = poolSize, padding = 'valid' } = options;
  const size = pairOf(poolSize);
  for (const axis of [0, 1] as const) expectInteger('averagePool', 'poolSize', size[axis], 1);
  const { height, width } = convOperator('averagePool', { shape: [...size, 1, 1], values: new Float64Array(size[0] * size[1]) }, { inputSize, strides, padding });
  const share = largestShare(height) * largestShare(width);
  const apart = Math.abs(share * size[0] * size[1] - 1) < 1e-9;
  return closedForm(name, apart ? 'exact' : 'upper', { L2: roundUp(Math.sqrt(share), 16), Linf: 1, L1: roundUp(share, 16) });
}

/** Describes the largest value of every channel over the image: 1 in every norm. */
export function globalMaxPool(name = 'globalMaxPool'): ConstantNode {
  return closedForm(name, 'exact', everywhere(1));
}

/** Describes the repetition of every pixel `height × width` times. */
export function upSample(options: { readonly name?: string; readonly size: Pair }): ConstantNode {
  expectKnownKeys('upSample', options, ['name', 'size']);
  const [height, width] = pairOf(options.size);
  expectInteger('upSample', 'size', height, 1);
  expectInteger('upSample', 'size', width, 1);
  return closedForm(options.name ?? 'upSample', 'exact', { L2: roundUp(Math.sqrt(height * width), 1), Linf: 1, L1: height * width });
}

/**
 * Describes a division of every row by its root mean square, `γ x / √(mean x² + ε)`: `max |γ| / √ε`, in L2 only.
 *
 * @remarks
 * Where rows are known to be no shorter than `smallestNorm`, `max |γ| √D / smallestNorm` for rows of D = `features` numbers: the slope of `x / |x|` is at most `1 / |x|`.
 *
 * @param options - `smallestNorm` with `features` makes the bound one of rows that long only; then every input of the network must keep to it.
 */
export function rmsNorm(options: { readonly name?: string; readonly gamma: VectorInput; readonly epsilon: number; readonly smallestNorm?: number; readonly features?: number }): ConstantNode {
  expectKnownKeys('rmsNorm', options, ['name', 'gamma', 'epsilon', 'smallestNorm', 'features']);
  const { name = 'rmsNorm', epsilon, smallestNorm = 0, features = 1 } = options;
  expectNumber('rmsNorm', 'epsilon', epsilon, Number.MIN_VALUE);
  expectNumber('rmsNorm', 'smallestNorm', smallestNorm, 0);
  expectInteger('rmsNorm', 'features', features, 1);
  const gamma = readVector('rmsNorm', 'gamma', options.gamma);
  expectArgument('rmsNorm', 'features', smallestNorm === 0 || options.features !== undefined, 'be given together with smallestNorm', options.features);
  const largest = gamma.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  return closedForm(name, 'upper', { L2: roundUp(largest / Math.sqrt(epsilon + (smallestNorm * smallestNorm) / features), 6) });
}

/**
 * Describes `x / √(|x|² + ε)`, as of cosine routers: `1 / √ε`, in L2 only; `1 / √(smallestNorm² + ε)` where rows are known to be no shorter.
 */
export function l2Normalize(options: { readonly name?: string; readonly epsilon: number; readonly smallestNorm?: number }): ConstantNode {
  expectKnownKeys('l2Normalize', options, ['name', 'epsilon', 'smallestNorm']);
  const { name = 'l2Normalize', epsilon, smallestNorm = 0 } = options;
  expectNumber('l2Normalize', 'epsilon', epsilon, 0);
  expectNumber('l2Normalize', 'smallestNorm', smallestNorm, 0);
  expectArgument('l2Normalize', 'epsilon', epsilon > 0 || smallestNorm > 0, 'be positive where rows may vanish', epsilon);
  return closedForm(name, smallestNorm > 0 ? 'upper' : 'exact', { L2: roundUp(1 / Math.sqrt(epsilon + smallestNorm * smallestNorm), 6) });
}

/** Describes the projection of every row onto the probability simplex: never expands distances in L2. */
export function sparsemax(name = 'sparsemax'): ConstantNode {
  return closedForm(name, 'exact', { L2: 1 });
}
