import type { OperatorNorm, SoundBound } from '@moe/core';
import { expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import { type VectorInput, readVector } from '../internal/arrays.js';
import { NORMS, globalBound } from '../internal/bounds.js';
import { type Pair, pairOf } from '../internal/conv-geometry.js';
import { roundUp } from '../internal/rounding.js';
import { ACTIVATION_SLOPES, type ActivationName, ROUNDED_SLOPES } from './activations.js';
import type { ConstantNode, KnownMap, NetworkNode } from './nodes.js';

export function closedForm(name: string, status: 'exact' | 'upper', values: Partial<Record<OperatorNorm, number>>, map?: KnownMap): ConstantNode {
  const bounds: Partial<Record<OperatorNorm, SoundBound>> = {};
  for (const norm of NORMS) {
    const value = values[norm];
    if (value !== undefined) bounds[norm] = globalBound(value, status, norm, 'closed-form');
  }
  return { kind: 'constant', name, bounds, map };
}

export const everywhere = (value: number): Record<OperatorNorm, number> => ({ L2: value, Linf: value, L1: value });

/** Describes an elementwise activation; its constant is its largest slope, in every norm. */
export function activation(kind: ActivationName, name: string = kind): ConstantNode {
  expectOneOf('activation', 'kind', kind, Object.keys(ACTIVATION_SLOPES) as ActivationName[]);
  return closedForm(name, ROUNDED_SLOPES.includes(kind) ? 'upper' : 'exact', everywhere(ACTIVATION_SLOPES[kind]), { kind: 'elementwise', activation: kind, slope: 0 });
}

/** Describes a ReLU, with `slope` below zero if it leaks. */
export function relu(options: { readonly name?: string; readonly slope?: number } = {}): ConstantNode {
  expectKnownKeys('relu', options, ['name', 'slope']);
  const { name = 'relu', slope = 0 } = options;
  expectNumber('relu', 'slope', slope);
  return closedForm(name, 'exact', everywhere(Math.max(1, Math.abs(slope))), { kind: 'elementwise', activation: 'relu', slope });
}

/** Describes what leaves the numbers and their order alone: identity, flatten, reshape, dropout in evaluation mode. */
export function identity(name = 'identity'): ConstantNode {
  return closedForm(name, 'exact', everywhere(1), { kind: 'identity' });
}

/** Describes what moves numbers, drops some or puts zeros between them: permute, crop, zero padding; GroupSort and MaxMin too, which sort. */
export function rearrangement(name = 'rearrangement'): ConstantNode {
  return closedForm(name, 'exact', everywhere(1));
}

/** Describes the mean of every channel over `height × width` pixels: `1 / √(hw)` in L2, 1 in Linf, `1 / (hw)` in L1. */
export function globalAveragePool(options: { readonly name?: string; readonly height: number; readonly width: number }): ConstantNode {
  expectKnownKeys('globalAveragePool', options, ['name', 'height', 'width']);
  const { name = 'globalAveragePool', height, width } = options;
  expectInteger('globalAveragePool', 'height', height, 1);
  expectInteger('globalAveragePool', 'width', width, 1);
  const pixels = height * width;
  return closedForm(name, 'exact', { L2: roundUp(1 / Math.sqrt(pixels), 2), Linf: 1, L1: roundUp(1 / pixels, 1) }, { kind: 'global-average', pixels });
}

/**
 * Describes max-pooling: 1 where windows do not overlap, else the square root (L2) or the number (L1) of windows that one pixel may lie in.
 *
 * @remarks
 * |max over a window of x − that of y| is at most the largest |x − y| in the window; a pixel can be the largest of every window it lies in.
 */
export function maxPool(options: { readonly name?: string; readonly poolSize: Pair; readonly strides?: Pair }): ConstantNode {
  expectKnownKeys('maxPool', options, ['name', 'poolSize', 'strides']);
  const { name = 'maxPool', poolSize, strides = poolSize } = options;
  const [size, stride] = [pairOf(poolSize), pairOf(strides)];
  for (const axis of [0, 1] as const) {
    expectInteger('maxPool', 'poolSize', size[axis], 1);
    expectInteger('maxPool', 'strides', stride[axis], 1);
  }
  const windows = Math.ceil(size[0] / stride[0]) * Math.ceil(size[1] / stride[1]);
  return closedForm(name, windows === 1 ? 'exact' : 'upper', { L2: windows === 1 ? 1 : roundUp(Math.sqrt(windows), 1), Linf: 1, L1: windows });
}

/**
 * Describes layer normalisation over the last axis: `max |γ| / √ε`, in L2 only.
 *
 * @remarks
 * Reached where an input hardly varies, so sound everywhere and of little use: prefer batch norm in models to be certified.
 */
export function layerNorm(options: { readonly name?: string; readonly gamma: VectorInput; readonly epsilon: number }): ConstantNode {
  expectKnownKeys('layerNorm', options, ['name', 'gamma', 'epsilon']);
  const { name = 'layerNorm', epsilon } = options;
  expectNumber('layerNorm', 'epsilon', epsilon, Number.MIN_VALUE);
  const gamma = readVector('layerNorm', 'gamma', options.gamma);
  const largest = gamma.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  return closedForm(name, 'upper', { L2: roundUp(largest / Math.sqrt(epsilon), 2) });
}

/** Describes softmax of `temperature · x` over the last axis, whose Jacobian `diag(p) − p pᵀ` has norm at most 1/2 in L2, Linf and L1. */
export function softmax(name = 'softmax', temperature = 1): ConstantNode {
  expectNumber('softmax', 'temperature', temperature, 0);
  return closedForm(name, 'upper', everywhere(temperature / 2));
}

/**
 * Describes any map by sound bounds that the caller vouches for, one a norm, e.g. of a layer of the caller's own.
 *
 * @param options - `network` tells what the map computes: {@link productBound} then takes the smaller of its bound and the given one, and bounds that need more than constants follow it.
 * @throws {@link ArgumentError} if a bound is not sound, not global, or filed under another norm.
 */
export function boundedMap(options: { readonly name: string; readonly bounds: readonly SoundBound[]; readonly network?: NetworkNode }): ConstantNode {
  expectKnownKeys('boundedMap', options, ['name', 'bounds', 'network']);
  const bounds: Partial<Record<OperatorNorm, SoundBound>> = {};
  for (const bound of options.bounds) {
    expectOneOf('boundedMap', 'status', bound.status, ['exact', 'upper']);
    expectOneOf('boundedMap', 'norm', bound.norm, NORMS);
    expectArgument('boundedMap', 'domain', bound.domain === 'global', "be 'global'", JSON.stringify(bound.domain));
    expectNumber('boundedMap', 'value', bound.value, 0);
    bounds[bound.norm] = bound;
  }
  return { kind: 'constant', name: options.name, bounds, map: options.network && { kind: 'network', network: options.network } };
}
