import { expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { type KernelInput, type VectorInput, readKernel, readVector } from '../internal/arrays.js';
import { CONV_OPTIONS, type ConvOptions, convOperator } from '../internal/conv-geometry.js';
import type { ConvNode, DenseNode, ScaleNode } from './nodes.js';

/**
 * Describes a dense layer by its kernel `[in, out]`.
 *
 * @throws {@link ShapeError} if the kernel is not a matrix; {@link NumericsError} if a weight is not finite.
 */
export function dense(options: { readonly name?: string; readonly kernel: KernelInput }): DenseNode {
  expectKnownKeys('dense', options, ['name', 'kernel']);
  return { kind: 'dense', name: options.name ?? 'dense', kernel: readKernel('dense', options.kernel, ['in', 'out']) };
}

/**
 * Describes a convolution by its kernel `[kh, kw, cin, cout]`, image size, strides and padding.
 *
 * @throws {@link ShapeError} if the kernel has not four axes; {@link NumericsError} if a weight is not finite.
 */
export function conv2d(options: { readonly name?: string; readonly kernel: KernelInput } & ConvOptions): ConvNode {
  expectKnownKeys('conv2d', options, ['name', 'kernel', ...CONV_OPTIONS]);
  const kernel = readKernel('conv2d', options.kernel, ['kh', 'kw', 'cin', 'cout']);
  return { kind: 'conv2d', name: options.name ?? 'conv2d', operator: convOperator('conv2d', kernel, options) };
}

/**
 * Describes a multiplication of every channel (the last axis) by its own factor, or of everything by one; shifts play no part.
 *
 * @example
 * channelScale({ factors: [1 / 0.247, 1 / 0.243, 1 / 0.262] }); // x ↦ (x − mean) / std
 */
export function channelScale(options: { readonly name?: string; readonly factors: VectorInput }): ScaleNode {
  expectKnownKeys('channelScale', options, ['name', 'factors']);
  return { kind: 'scale', name: options.name ?? 'scale', factors: readVector('channelScale', 'factors', options.factors) };
}

/**
 * Describes batch norm in evaluation mode: factors `γ / √(variance + ε)`.
 *
 * @remarks
 * Beside a dense layer or a convolution, {@link sequence} folds the factors into its kernel, which bounds the two together more tightly.
 *
 * @param options - `variance` `[C]` is the running variance; `gamma` `[C]` is 1 if left out; `epsilon` as in the layer (tfjs: 1e-3, PyTorch: 1e-5).
 */
export function batchNorm(options: { readonly name?: string; readonly gamma?: VectorInput; readonly variance: VectorInput; readonly epsilon: number }): ScaleNode {
  expectKnownKeys('batchNorm', options, ['name', 'gamma', 'variance', 'epsilon']);
  const { name = 'batchNorm', epsilon } = options;
  expectNumber('batchNorm', 'epsilon', epsilon, 0);
  const variance = readVector('batchNorm', 'variance', options.variance);
  const gamma = options.gamma === undefined ? variance.map(() => 1) : readVector('batchNorm', 'gamma', options.gamma);
  expectArgument('batchNorm', 'gamma', gamma.length === variance.length, `have ${variance.length} entries, as variance`, gamma.length);
  const wrong = variance.findIndex((value) => value + epsilon <= 0);
  expectArgument('batchNorm', `variance[${wrong}] + epsilon`, wrong < 0, 'be positive', variance[wrong]! + epsilon);
  return { kind: 'scale', name, factors: variance.map((value, c) => gamma[c]! / Math.sqrt(value + epsilon)) };
}
