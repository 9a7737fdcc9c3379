// Our kernels of the engine tensorflow against the engine cpu, where it is installed: `pnpm backend install tensorflow`.
import {
  type NamedAttrMap,
  type Rank,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  type Tensor5D,
  add,
  avgPool,
  avgPool3d,
  backend,
  conv2d,
  depthwiseConv2d,
  engine,
  fused,
  gather,
  grads,
  matMul,
  maxPool,
  maxPool3d,
  mul,
  multinomial,
  raggedRange,
  scatterND,
  sign,
  sparse,
  step,
  sum,
  tensor,
  tensor1d,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import { createRng } from '@moe/core';
import { expectGradient, expectTensorsKept } from '@moe/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeKernels } from '../../describe-backend.js';
import { useBackend } from '../../use-backend.js';
import type { Binding } from '../binding.js';
import { findTensorflow } from '../installation.js';

const installed = findTensorflow() !== undefined;
const binding = () => (backend() as unknown as { readonly binding: Binding }).binding;

const normal = (shape: readonly number[], seed: number): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1)), [...shape]);

type Fn = (...x: Tensor[]) => Tensor;
type Case = [name: string, fn: Fn, ...shapes: number[][]];

/** Largest difference from another engine relative to the largest entry: of the values and, if asked for, the gradients. */
async function differenceFrom(peer: 'cpu' | 'wasm', fn: Fn, shapes: readonly number[][], withGradients: boolean): Promise<number> {
  const on = async (name: 'cpu' | 'wasm' | 'tensorflow'): Promise<number[][]> => {
    await useBackend(name);
    return tidy(() => {
      const x = shapes.map((shape, i) => normal(shape, i + 1));
      const y = fn(...x);
      const weights = normal(y.shape, 9);
      const gradients = withGradients ? grads((...a: Tensor[]) => sum(mul(fn(...a), weights)))(x) : [];
      return [y, ...gradients].map((t) => Array.from(t.dataSync()));
    });
  };
  const [expected, actual] = [await on(peer), await on('tensorflow')];
  const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return Math.max(...expected.map((row, i) => largest(row.map((v, j) => v - actual[i]![j]!)) / largest(row)));
}

const conv = (...rest: readonly [number | [number, number], ...unknown[]]): Fn => (x, f) => conv2d(x as Tensor4D, f as Tensor4D, ...(rest as unknown as [1, 1]));
const depthwise = (...rest: readonly [number | [number, number], ...unknown[]]): Fn => (x, f) => depthwiseConv2d(x as Tensor4D, f as Tensor4D, ...(rest as unknown as [1, 1]));
const kernel = (name: string, inputs: Record<string, Tensor>, attrs: NamedAttrMap): Tensor => engine().runKernel(name, inputs, attrs) as Tensor;
const UNEVEN = [[0, 0], [1, 2], [0, 1], [0, 0]];
const UNEVEN_FIRST = [[0, 0], [0, 0], [1, 2], [0, 1]];

describe.skipIf(!installed)('kernels of tensorflow (skipped unless `pnpm backend install tensorflow` was run)', () => {
  beforeEach(async () => {
    await useBackend('tensorflow');
  });

  it.each<Case>([
    ['convolution, channels first', conv(1, 'same', 'NCHW'), [2, 3, 5, 6], [3, 3, 3, 4]],
    ['convolution, channels first, strides that differ', conv([2, 1], 'valid', 'NCHW'), [2, 3, 7, 6], [3, 2, 3, 4]],
    ['convolution, channels first, padded', conv(2, 1, 'NCHW', 1, 'floor'), [2, 3, 6, 7], [3, 3, 3, 4]],
    ['convolution, uneven padding', conv(1, UNEVEN), [2, 5, 6, 3], [3, 3, 3, 4]],
    ['convolution, channels first, uneven padding', conv(1, UNEVEN_FIRST, 'NCHW'), [2, 3, 5, 6], [3, 3, 3, 4]],
    ['convolution, padded, size rounded up', conv(2, 1, 'NHWC', 1, 'ceil'), [2, 6, 7, 3], [3, 3, 3, 4]],
    ['dilated convolution, padded', conv(1, 2, 'NHWC', 2, 'floor'), [2, 6, 7, 3], [3, 3, 3, 4]],
    ['dilated convolution, channels first', conv(1, 'same', 'NCHW', [2, 3]), [2, 3, 6, 7], [3, 3, 3, 4]],
    ['convolution, padded, window that is not square', conv(1, 1, 'NHWC', 1, 'floor'), [2, 6, 7, 3], [4, 3, 3, 4]],
    ['convolution, padded, window that is wide', conv(1, 1, 'NHWC', 1, 'floor'), [2, 6, 7, 3], [2, 3, 3, 4]],
    ['matrix product', (a, b) => matMul(a as Tensor2D, b as Tensor2D), [3, 4], [4, 5]],
    ['matrix product, first transposed', (a, b) => matMul(a as Tensor2D, b as Tensor2D, true), [4, 3], [4, 5]],
    ['matrix product, both transposed', (a, b) => matMul(a as Tensor2D, b as Tensor2D, true, true), [4, 3], [5, 4]],
    ['maximum, padded, window that is not square', (x) => maxPool(x as Tensor4D, [3, 2], 1, 1), [2, 6, 7, 3]],
    ['depthwise convolution, padded', depthwise(2, 1, 'NHWC', 1, 'floor'), [2, 6, 7, 3], [3, 3, 3, 2]],
    ['depthwise convolution, uneven padding', depthwise(1, UNEVEN), [2, 5, 6, 3], [3, 3, 3, 2]],
    ['maximum, uneven padding', (x) => maxPool(x as Tensor4D, 3, 1, UNEVEN as never), [2, 5, 6, 3]],
    ['bias of maps', (x, bias) => add(x!, bias!), [2, 5, 6, 3], [3]],
    ['bias of rows', (x, bias) => add(x!, bias!), [4, 3], [3]],
    ['vector added to a vector', (a, b) => add(a!, b!), [3], [3]],
    ['single number added along the last axis', (x, b) => add(x!, b!), [4, 3], [1]],
    ['maximum in three dimensions, padded', (x) => maxPool3d(x as Tensor5D, 3, 2, 1, 'floor'), [2, 5, 6, 7, 3]],
  ])('has the values and gradients of cpu: %s', async (_name, fn, ...shapes) => {
    expect(await differenceFrom('cpu', fn, shapes, true)).toBeLessThan(1e-5);
  });

  // With 512 channels at least, so against wasm: cpu would take seconds.
  it.each<Case>([
    ['same padding', conv(1, 'same'), [2, 3, 2, 512], [3, 3, 512, 512]],
    ['neighbours joined', conv(1, 'same'), [11, 5, 5, 512], [2, 3, 512, 512]],
    ['neighbours joined, dilated', conv([1, 1], 'same', 'NHWC', [1, 2]), [22, 3, 5, 512], [1, 3, 512, 512]],
    ['strided, uneven padding', conv([2, 1], UNEVEN), [2, 3, 3, 512], [2, 2, 512, 512]],
    ['dilated', conv(1, 'same', 'NHWC', 2), [1, 3, 3, 512], [2, 2, 512, 512]],
    ['taps that meet no pixel', conv(1, 'same'), [1, 1, 2, 512], [3, 3, 512, 512]],
    ['pixels that no tap meets', conv(3, 'valid'), [1, 5, 4, 512], [2, 1, 512, 512]],
    ['padded, size rounded up', conv(2, 1, 'NHWC', 1, 'ceil'), [1, 2, 3, 512], [3, 1, 512, 512]],
  ])('has the values and gradients of wasm in convolutions by taps: %s', async (_name, fn, ...shapes) => {
    expect(await differenceFrom('wasm', fn, shapes, true)).toBeLessThan(1e-5);
  });

  it.each<Case>([
    ['mean, padded', (x) => avgPool(x as Tensor4D, 3, 2, 1, 'floor'), [2, 6, 7, 3]],
    ['mean, padded, size rounded up', (x) => avgPool(x as Tensor4D, 3, 2, 1, 'ceil'), [2, 6, 7, 3]],
    ['mean, padded, window that is not square', (x) => avgPool(x as Tensor4D, [3, 2], 1, 1), [2, 6, 7, 3]],
    ['mean, uneven padding', (x) => avgPool(x as Tensor4D, 3, 1, UNEVEN as never), [2, 5, 6, 3]],
    ['mean in three dimensions, padded', (x) => avgPool3d(x as Tensor5D, 3, 2, 1, 'floor'), [2, 5, 6, 7, 3]],
    [
      'fused convolution, channels first',
      (x, filter, bias, alpha) => fused.conv2d({ x: x as Tensor4D, filter: filter as Tensor4D, strides: 2, pad: 1, dimRoundingMode: 'floor', dataFormat: 'NCHW', bias, activation: 'prelu', preluActivationWeights: alpha! }),
      [2, 3, 6, 7],
      [3, 3, 3, 4],
      [4],
      [4],
    ],
    ['dilated depthwise convolution, padded', depthwise(1, 2, 'NHWC', 2, 'floor'), [2, 6, 7, 3], [3, 3, 3, 2]],
    [
      'fused depthwise convolution, padded',
      (x, filter, bias) => fused.depthwiseConv2d({ x: x as Tensor4D, filter: filter as Tensor4D, strides: 1, pad: 1, bias, activation: 'relu6' }),
      [2, 6, 7, 3],
      [3, 3, 3, 2],
      [6],
    ],
  ])('has the values of cpu: %s', async (_name, fn, ...shapes) => {
    expect(await differenceFrom('cpu', fn, shapes, false)).toBeLessThan(1e-5);
  });

  it.each<[string, (x: Tensor) => Tensor<Rank>, number[]]>([
    ['in two dimensions', (x) => avgPool(x as Tensor4D, 3, 2, 1, 'floor'), [1, 6, 5, 2]],
    ['of a window that is not square', (x) => avgPool(x as Tensor4D, [3, 2], 1, 1), [1, 4, 5, 2]],
    ['with uneven padding', (x) => avgPool(x as Tensor4D, 3, 1, UNEVEN as never), [1, 4, 5, 2]],
    ['in three dimensions', (x) => avgPool3d(x as Tensor5D, 3, 2, 1, 'floor'), [1, 4, 3, 5, 2]],
  ])('has the gradient of the padded mean that central differences have, which cpu has not: %s', (_name, fn, shape) => {
    tidy(() => {
      const weights = normal(fn(normal(shape, 1)).shape, 2);
      expectGradient((x) => sum(mul(fn(x), weights)), normal(shape, 3));
    });
  });

  it.each([
    { strides: 1, pad: 'same', dilations: [2, 3] },
    { strides: 2, pad: 'valid', dilations: [2, 1] },
    { strides: 1, pad: 2, dilations: [2, 2] },
  ])('has the adjoints of the dilated depthwise convolution, which tfjs refuses and cpu gets wrong: %o', (attrs) => {
    tidy(() => {
      const [x, filter] = [normal([2, 6, 7, 3], 1), normal([3, 3, 3, 2], 2)];
      const y = kernel('DepthwiseConv2dNative', { x, filter }, attrs);
      const dy = normal(y.shape, 3);
      const inner = (a: Tensor, b: Tensor) => sum(mul(a, b)).dataSync()[0]!;
      expect(inner(x, kernel('DepthwiseConv2dNativeBackpropInput', { dy, filter }, { ...attrs, inputShape: x.shape }))).toBeAllClose(inner(y, dy), { rtol: 1e-4 });
      expect(inner(filter, kernel('DepthwiseConv2dNativeBackpropFilter', { x, dy }, { ...attrs, filterShape: filter.shape }))).toBeAllClose(inner(y, dy), { rtol: 1e-4 });
    });
  });

  it('convolves depthwise with channels first, which cpu takes for channels last', () => {
    tidy(() => {
      const [x, filter] = [normal([2, 6, 7, 3], 1) as Tensor4D, normal([3, 3, 3, 2], 2) as Tensor4D];
      const first = depthwiseConv2d(transpose(x, [0, 3, 1, 2]) as Tensor4D, filter, 2, 1, 'NCHW', 1, 'floor');
      expect(transpose(first, [0, 2, 3, 1])).toBeAllClose(depthwiseConv2d(x, filter, 2, 1, 'NHWC', 1, 'floor'));
    });
  });

  it('takes the mean of nothing for 0', () => {
    tidy(() => {
      const x = tensor([4], [1, 1, 1]) as Tensor3D;
      expect(Array.from(avgPool(x, 1, 1, 1).dataSync())).toEqual([0, 0, 0, 0, 4, 0, 0, 0, 0]);
    });
  });

  it('pads maxima by more than the window', () => {
    tidy(() => {
      const x = tensor([-4], [1, 1, 1]) as Tensor3D;
      const pooled = maxPool(x, 1, 1, 1).dataSync();
      expect([pooled[4], Math.max(...pooled.filter((_, i) => i !== 4)) < -1e38]).toEqual([-4, true]);
      expect(grads((a: Tensor) => sum(mul(maxPool(a as Tensor3D, 1, 1, 1), normal([3, 3, 1], 1))))([x])[0]!.dataSync()[0]).toBe(normal([3, 3, 1], 1).dataSync()[4]);
    });
  });

  it('gathers without reading the indices, and refuses those out of range', () => {
    tidy(() => {
      const [x, indices] = [tensor1d([5, 6, 7]), tensor1d([2, 0], 'int32')];
      const { tensorDataSync } = binding();
      let reads = 0;
      Object.assign(binding(), { tensorDataSync: (id: number) => (reads++, tensorDataSync(id)) });
      const gathered = gather(x, indices);
      Object.assign(binding(), { tensorDataSync });
      expect(reads).toBe(0);
      expect(gathered.arraySync()).toEqual([7, 5]);
      expect(() => gather(x, tensor1d([3], 'int32'))).toThrow('GatherV2: indices[0] = 3 is not in [0, 3)');
    });
  });

  it('draws the same for the same seed', () => {
    tidy(() => {
      const logits = tensor1d([0, 1, 2]) as Tensor1D;
      const draw = (seed: number) => Array.from(multinomial(logits, 200, seed).dataSync());
      expect(draw(3)).toEqual(draw(3));
      expect(draw(3)).not.toEqual(draw(4));
      const share = draw(3).filter((k) => k === 2).length / 200;
      expect(share).toBeWithin(0.55, 0.78);
    });
  });

  it('does what TensorFlow does not: signs and steps of NaN and int32, indices of rank 1, sparse indices of int32', () => {
    tidy(() => {
      expect(sign(tensor1d([NaN, -2, 3])).arraySync()).toEqual([0, -1, 1]);
      expect(step(tensor1d([-1, 0, 5], 'int32'), 2).arraySync()).toEqual([2, 2, 1]);
      expect(step(tensor1d([NaN, -1, 5]), 0.5).arraySync()).toEqual([NaN, 0.5, 1]);
      expect(scatterND(tensor1d([3, 0], 'int32'), tensor1d([7, 8]), [4]).arraySync()).toEqual([8, 0, 0, 7]);
      const { outputIndices, outputShape } = sparse.sparseReshape([[0, 1], [1, 2]], [2, 3], [3, -1]);
      expect([outputIndices?.arraySync(), outputShape?.arraySync()]).toEqual([[[0, 1], [2, 1]], [3, 2]]);
    });
  });

  it('sums int32 exactly in segments', () => {
    tidy(() => {
      expect(sparse.sparseSegmentSum(tensor1d([16777217, 1], 'int32'), [0, 1], [0, 0]).arraySync()).toEqual([16777218]);
    });
  });

  it('keeps no tensor, nor a handle of TensorFlow, also when TensorFlow refuses', () => {
    const x = normal([2, 6, 7, 3], 1) as Tensor4D;
    const filter = normal([3, 3, 3, 4], 2) as Tensor4D;
    tidy(() => conv2d(x, filter, 1, 1));
    const handles = binding().getNumOfTensors();
    expectTensorsKept(0, () => {
      tidy(() => {
        conv2d(x, filter, 1, 2, 'NHWC', 2);
        avgPool(x, 3, 2, 1, 'floor');
        fused.conv2d({ x, filter, strides: 1, pad: 1, activation: 'relu' });
      });
      expect(() => tidy(() => raggedRange(tensor1d([1], 'int32'), tensor1d([3], 'int32'), tensor1d([0], 'int32')))).toThrow('RaggedRange: Requires delta != 0');
    });
    expect(binding().getNumOfTensors()).toBe(handles);
    x.dispose();
    filter.dispose();
  });

  it('says which kernels are ours', () => {
    expect(describeKernels('tensorflow')).toMatchObject({ Conv2D: 'ours', AvgPoolGrad: 'ours', GatherV2: 'ours', Softmax: 'native', BatchMatMul: 'ours' });
    expect(Object.values(describeKernels('tensorflow'))).not.toContain('missing');
  });
});
