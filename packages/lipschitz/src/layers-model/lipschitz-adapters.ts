import { type Tensor, type Tensor1D, type Tensor2D, type Tensor4D, clone, tidy, transpose } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import type { SoundBound } from '@moe/core';
import { type Kernel, readKernel, readVector, scaleAlong } from '../internal/arrays.js';
import { globalBound } from '../internal/bounds.js';
import { roundUp } from '../internal/rounding.js';
import { gramRowSums, smallerSide } from '../internal/spatial-gram.js';
import type { CayleyConv2D } from '../layers/cayley-conv.js';
import { aolKernel, aolScales, bjorckKernel, cayleyKernel, sllFactors } from '../layers/kernels.js';
import { transposedKernel } from '../layers/sll-conv.js';
import { residual, sequence } from '../network/composite-nodes.js';
import { boundedMap, rearrangement, relu } from '../network/constant-nodes.js';
import { conv2d, dense } from '../network/linear-nodes.js';
import type { NetworkNode } from '../network/nodes.js';
import { LARGEST_JACOBI, denseSpectralNorm } from '../spectral/dense-spectral-norm.js';
import { type LayerAdapter, type LayerUse, biasOf, imageSize } from './adapters.js';

const CALLER = 'describeLayersModel';
const DENSE = ['in', 'out'];
const CONV = ['kh', 'kw', 'cin', 'cout'];

/** What the engine makes of some weights, in the very numbers with which the layer computes. */
function valuesOf(compute: () => Tensor): { shape: readonly number[]; values: Float64Array } {
  const result = tidy(compute);
  try {
    return { shape: [...result.shape], values: Float64Array.from(result.dataSync()) };
  } finally {
    result.dispose();
  }
}

const kernelOf = (axes: readonly string[], compute: () => Tensor): Kernel => readKernel(CALLER, valuesOf(compute), axes);
const largest = (values: Float64Array): number => values.reduce((best, value) => Math.max(best, value), 0);

/** Bound of a kernel `[kh,kw,cin,cout]` by the row sums of its Gram operator, with weights that make them small. */
function rowSumBound(kernel: Kernel, strides: readonly [number, number], weights?: Float64Array): SoundBound {
  const sums = gramRowSums(kernel, strides, smallerSide(kernel.shape, strides), weights);
  return globalBound(roundUp(Math.sqrt(largest(sums)), 1), 'upper', 'L2', 'gram-row-sums');
}

/** A dense layer whose kernel was computed: the norm of what came out, rounding of the engine and all. */
function linear({ name }: layers.Layer, use: LayerUse, compute: (kernel: Tensor2D) => Tensor, weights?: () => Float64Array): NetworkNode {
  const kernel = kernelOf(DENSE, () => compute(use.weights['kernel'] as Tensor2D));
  const small = Math.min(...kernel.shape) <= LARGEST_JACOBI;
  const bound = small ? denseSpectralNorm(kernel) : rowSumBound({ ...kernel, shape: [1, 1, ...kernel.shape] }, [1, 1], weights?.());
  return boundedMap({ name, bounds: [bound], network: dense({ name, kernel, bias: biasOf(use) }) });
}

/** Under weights `1 / scale`, the row sums of a scaled kernel are 1 but for rounding. */
const aolWeights = (kernel: Tensor, strides: readonly [number, number]): Float64Array => valuesOf(() => aolScales(kernel, strides)).values.map((scale) => 1 / scale);

/**
 * A residual layer `x − K F relu(Kᵀ x + b)`, F = 2 T⁻¹ as the engine computed it.
 *
 * @remarks
 * With `KᵀK ≼ τ T` it is `τ` times a layer that never stretches, less `(τ − 1) x`; so its constant is at most 2τ − 1, and 1 where τ ≤ 1.
 */
function residualLayer(name: string, kernel: Kernel, { weights }: LayerUse, network: (factors: Float64Array) => NetworkNode): NetworkNode {
  const [raw, logWeights] = [weights['kernel']!, weights['log_weights'] as Tensor1D];
  const factors = valuesOf(() => sllFactors(raw, logWeights)).values;
  const shape = kernel.shape.length === 2 ? [1, 1, ...kernel.shape] : kernel.shape;
  const sums = gramRowSums({ ...kernel, shape }, [1, 1], 'outputs', readVector(CALLER, 'log_weights', logWeights).map(Math.exp));
  const tau = largest(sums.map((sum, h) => roundUp((sum * factors[h]!) / 2, 4)));
  const bound = globalBound(tau <= 1 ? 1 : roundUp(2 * tau - 1, 2), 'upper', 'L2', 'sdp-based-residual');
  return boundedMap({ name, bounds: [bound], network: residual(network(factors)) });
}

/** Adapters of the layers of this package, by class name. */
export const LIPSCHITZ_ADAPTERS: Readonly<Record<string, LayerAdapter>> = {
  AolDense: (layer, use) => linear(layer, use, (kernel) => aolKernel(kernel, [1, 1]), () => aolWeights(use.weights['kernel']!, [1, 1])),
  BjorckDense: (layer, use) => linear(layer, use, (kernel) => bjorckKernel(kernel, use.config['steps'] as number)),
  CayleyDense: (layer, use) => linear(layer, use, cayleyKernel),
  AolConv2D: (layer, use) => {
    const { strides, padding } = use.config as { strides: number; padding: 'same' | 'valid' };
    const raw = use.weights['kernel'] as Tensor4D;
    const kernel = kernelOf(CONV, () => aolKernel(raw, [strides, strides]));
    const { name } = layer;
    const bound = rowSumBound(kernel, [strides, strides], aolWeights(raw, [strides, strides]));
    return boundedMap({ name, bounds: [bound], network: conv2d({ name, kernel, bias: biasOf(use), inputSize: imageSize(layer, use), strides, padding }) });
  },
  CayleyConv2D: (layer, { inputShape }) => {
    const [height = 0, width = 0] = inputShape;
    const { shape, values } = valuesOf(() => (layer as CayleyConv2D).matrices());
    const [count = 0, rows = 0, columns = 0] = shape;
    const size = rows * columns;
    const bounds = Array.from({ length: count }, (_, n) => rowSumBound({ shape: [1, 1, rows, columns], values: values.slice(n * size, (n + 1) * size) }, [1, 1]).value);
    // Its matrix of cosines and sines is off by half a unit of float32 an entry, by no more than that of its Frobenius norm √(HW) altogether; it is used twice.
    const fourier = 1 + 2 ** -23 * Math.sqrt(height! * width!);
    return boundedMap({ name: layer.name, bounds: [globalBound(roundUp(Math.max(...bounds) * fourier * fourier, 8), 'upper', 'L2', 'gram-row-sums')] });
  },
  SllDense: (layer, use) => {
    const { name } = layer;
    const kernel = kernelOf(DENSE, () => clone(use.weights['kernel']!));
    const back = kernelOf(DENSE, () => transpose(use.weights['kernel']!));
    return residualLayer(name, kernel, use, (factors) => sequence([dense({ name, kernel, bias: biasOf(use) }), relu(), dense({ name: `${name}.back`, kernel: scaleAlong(back, 0, factors.map((factor) => -factor)), bias: [0] })]));
  },
  SllConv2D: (layer, use) => {
    const { name } = layer;
    const raw = use.weights['kernel'] as Tensor4D;
    const [kernel, back] = [kernelOf(CONV, () => clone(raw)), kernelOf(CONV, () => transposedKernel(raw))];
    const size = { inputSize: imageSize(layer, use), padding: 'same' } as const;
    return residualLayer(name, kernel, use, (factors) =>
      sequence([conv2d({ name, kernel, bias: biasOf(use), ...size }), relu(), conv2d({ name: `${name}.back`, kernel: scaleAlong(back, 2, factors.map((factor) => -factor)), bias: [0], ...size })]),
    );
  },
  GroupSort: ({ name }) => rearrangement(name),
};
