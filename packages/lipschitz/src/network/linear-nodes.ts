import { ShapeError, expectArgument, expectKnownKeys, expectNumber } from '@moe/core';
import { type KernelInput, type VectorInput, readKernel, readVector } from '../internal/arrays.js';
import { CONV_OPTIONS, type ConvOptions, convOperator } from '../internal/conv-geometry.js';
import type { ConvNode, DenseNode, ScaleNode } from './nodes.js';

/** A bias as options give it; a single number counts for every output. */
const readBias = (caller: string, bias: VectorInput | undefined, outputs: number): Float64Array | undefined => {
  if (bias === undefined) return undefined;
  const values = readVector(caller, 'bias', bias);
  if (values.length !== 1 && values.length !== outputs) throw new ShapeError(`${caller}: bias must have ${outputs} entries, or one for all, got ${values.length}.`);
  return values;
};

/**
 * Describes a dense layer by its kernel `[in, out]`.
 *
 * @param options - `bias` `[out]`, or `[0]` for a layer without; only local bounds need it, and refuse a layer of which they do not know it.
 * @throws {@link ShapeError} if the kernel is not a matrix; {@link NumericsError} if a weight is not finite.
 */
export function dense(options: { readonly name?: string; readonly kernel: KernelInput; readonly bias?: VectorInput }): DenseNode {
  expectKnownKeys('dense', options, ['name', 'kernel', 'bias']);
  const kernel = readKernel('dense', options.kernel, ['in', 'out']);
  return { kind: 'dense', name: options.name ?? 'dense', kernel, bias: readBias('dense', options.bias, kernel.shape[1]!) };
}

/**
 * Describes a convolution by its kernel `[kh, kw, cin, cout]`, image size, strides and padding.
 *
 * @param options - `bias` `[cout]`, as in {@link dense}.
 * @throws {@link ShapeError} if the kernel has not four axes; {@link NumericsError} if a weight is not finite.
 */
export function conv2d(options: { readonly name?: string; readonly kernel: KernelInput; readonly bias?: VectorInput } & ConvOptions): ConvNode {
  expectKnownKeys('conv2d', options, ['name', 'kernel', 'bias', ...CONV_OPTIONS]);
  const kernel = readKernel('conv2d', options.kernel, ['kh', 'kw', 'cin', 'cout']);
  return { kind: 'conv2d', name: options.name ?? 'conv2d', operator: convOperator('conv2d', kernel, options), bias: readBias('conv2d', options.bias, kernel.shape[3]!) };
}

/**
 * Describes a multiplication of every channel (the last axis) by its own factor, or of everything by one.
 *
 * @param options - `shifts` are added afterwards; only local bounds need them, `[0]` where there are none.
 * @example
 * channelScale({ factors: [1 / 0.247, 1 / 0.243, 1 / 0.262], shifts: [-0.491 / 0.247, -0.482 / 0.243, -0.446 / 0.262] }); // x ↦ (x − mean) / std
 */
export function channelScale(options: { readonly name?: string; readonly factors: VectorInput; readonly shifts?: VectorInput }): ScaleNode {
  expectKnownKeys('channelScale', options, ['name', 'factors', 'shifts']);
  const factors = readVector('channelScale', 'factors', options.factors);
  const shifts = options.shifts === undefined ? undefined : readVector('channelScale', 'shifts', options.shifts);
  const fit = shifts === undefined || shifts.length === 1 || factors.length === 1 || shifts.length === factors.length;
  expectArgument('channelScale', 'shifts', fit, `have 1 or ${factors.length} entries, as factors`, shifts?.length);
  return { kind: 'scale', name: options.name ?? 'scale', factors, shifts };
}

/**
 * Describes batch norm in evaluation mode: factors `γ / √(variance + ε)`.
 *
 * @remarks
 * Beside a dense layer or a convolution, {@link sequence} folds the factors into its kernel, which bounds the two together more tightly.
 *
 * @param options - `variance` `[C]` is the running variance; `gamma` `[C]` is 1 and `beta` `[C]` is 0 if left out; `epsilon` as in the layer (tfjs: 1e-3, PyTorch: 1e-5);
 * `mean` `[C]`, the running mean, is needed by local bounds only.
 */
export function batchNorm(options: { readonly name?: string; readonly gamma?: VectorInput; readonly beta?: VectorInput; readonly mean?: VectorInput; readonly variance: VectorInput; readonly epsilon: number }): ScaleNode {
  expectKnownKeys('batchNorm', options, ['name', 'gamma', 'beta', 'mean', 'variance', 'epsilon']);
  const { name = 'batchNorm', epsilon } = options;
  expectNumber('batchNorm', 'epsilon', epsilon, 0);
  const variance = readVector('batchNorm', 'variance', options.variance);
  const gamma = options.gamma === undefined ? variance.map(() => 1) : readVector('batchNorm', 'gamma', options.gamma);
  expectArgument('batchNorm', 'gamma', gamma.length === variance.length, `have ${variance.length} entries, as variance`, gamma.length);
  const wrong = variance.findIndex((value) => value + epsilon <= 0);
  expectArgument('batchNorm', `variance[${wrong}] + epsilon`, wrong < 0, 'be positive', variance[wrong]! + epsilon);
  const factors = variance.map((value, c) => gamma[c]! / Math.sqrt(value + epsilon));
  if (options.mean === undefined) return { kind: 'scale', name, factors, shifts: undefined };
  const mean = readVector('batchNorm', 'mean', options.mean);
  const beta = options.beta === undefined ? variance.map(() => 0) : readVector('batchNorm', 'beta', options.beta);
  expectArgument('batchNorm', 'mean and beta', mean.length === variance.length && beta.length === variance.length, `have ${variance.length} entries, as variance`, `${mean.length} and ${beta.length}`);
  return { kind: 'scale', name, factors, shifts: factors.map((factor, c) => beta[c]! - mean[c]! * factor) };
}
