// Which kernels really run, in stock models of tfjs.
import { type Scalar, type Tensor, type Tensor4D, add, backend, fused, getKernel, grad, grads, memory, registerKernel, setBackend, square, sum, tensor, tidy, train, unregisterKernel } from '@tensorflow/tfjs-core';
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';
import { createRng } from '@moe/core';
import '@moe/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findTensorflow } from './node/installation.js';
import { useBackend } from './use-backend.js';

const normals = (shape: number[], seed: number): Tensor => tensor(createRng(seed).normal(shape.reduce((a, b) => a * b, 1)), shape);

/** Counts what the engines really compute: operations of TensorFlow, or functions of the compiled wasm kernels. */
function counters(engineName: 'wasm' | 'tensorflow', counts: Map<string, number>): () => void {
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
  if (engineName === 'tensorflow') {
    const { binding } = backend() as unknown as { binding: { executeOp: (name: string, ...rest: unknown[]) => unknown } };
    const { executeOp } = binding;
    binding.executeOp = (name, ...rest) => {
      count(name);
      return executeOp(name, ...rest);
    };
    return () => void (binding.executeOp = executeOp);
  }
  const linked = backend() as unknown as Record<symbol, Record<string, (...args: number[]) => void>>;
  const key = Symbol.for('moe.backend.native');
  const native = linked[key]!;
  const names: Readonly<Record<string, string>> = { conv2dFilterGradient: 'Conv2DBackpropFilter', depthwiseGradients: 'DepthwiseConv2dNativeBackpropFilter', transposedProduct: 'BatchMatMulV2' };
  linked[key] = Object.fromEntries(
    Object.entries(native).map(([name, fn]) => [
      name,
      (...args: number[]) => {
        if (name in names && (name !== 'depthwiseGradients' || args[4] !== 0)) count(names[name]!);
        fn(...args);
      },
    ]),
  );
  return () => void (linked[key] = native);
}

describe.each(['wasm', 'tensorflow'] as const)('filter gradients on %s', (engineName) => {
  // The engine tensorflow is there after `pnpm backend install tensorflow` only.
  const skipped = engineName === 'tensorflow' && findTensorflow() === undefined;
  const counts = new Map<string, number>();
  let model: LayersModel;
  let stop: () => void;
  let x: Tensor;
  const ran = (name: string): number => counts.get(name) ?? 0;
  const loss = (images: Tensor): Scalar => sum(square(model.apply(images, { training: true }) as Tensor));

  beforeAll(async () => {
    if (skipped) return;
    await useBackend(engineName);
    model = sequential({
      layers: [
        layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', inputShape: [8, 8, 3] }),
        layers.batchNormalization(),
        layers.activation({ activation: 'relu' }),
        layers.conv2d({ filters: 5, kernelSize: 3, strides: 2, useBias: false }),
        layers.depthwiseConv2d({ kernelSize: 3 }),
        layers.flatten(),
        layers.dense({ units: 6 }),
        layers.dense({ units: 2 }),
      ],
    });
    x = normals([2, 8, 8, 3], 1);
    stop = counters(engineName, counts);
  });
  beforeEach(() => counts.clear());
  afterAll(() => {
    if (skipped) return;
    stop();
    x.dispose();
    model.dispose();
  });

  it.skipIf(skipped)('are not computed for an input gradient of a stock LayersModel, and nothing is kept', () => {
    const before = { ...memory(), stored: backend().numDataIds() };
    grad(loss)(x).dispose();
    expect([ran('Conv2DBackpropFilter'), ran('DepthwiseConv2dNativeBackpropFilter')]).toEqual([0, 0]);
    // Forward and input gradient of two dense layers on TensorFlow; on wasm only kernel gradients are products of this kind.
    expect(ran('BatchMatMulV2')).toBe(engineName === 'tensorflow' ? 4 : 0);
    expect({ ...memory(), stored: backend().numDataIds() }).toEqual(before);
  });

  it.skipIf(skipped)('are computed once each in a training step', () => {
    const optimizer = train.momentum(1e-4, 0.9);
    const step = (): void => optimizer.minimize(() => loss(x)) as unknown as void;
    step();
    counts.clear();
    const before = { ...memory(), stored: backend().numDataIds() };
    step();
    expect([ran('Conv2DBackpropFilter'), ran('DepthwiseConv2dNativeBackpropFilter'), ran('BatchMatMulV2')]).toEqual([2, 1, engineName === 'tensorflow' ? 6 : 2]);
    expect({ ...memory(), stored: backend().numDataIds() }).toEqual(before);
    optimizer.dispose();
  });

  it.skipIf(skipped)('are the same numbers as when they are computed at once', () => {
    tidy(() => {
      const [images, filter] = [normals([2, 6, 5, 3], 2) as Tensor4D, normals([3, 3, 3, 4], 3) as Tensor4D];
      const convolve = (a: Tensor, b: Tensor): Tensor => sum(square(fused.conv2d({ x: a as Tensor4D, filter: b as Tensor4D, strides: 1, pad: 'same' })));
      const [, waited] = grads(convolve)([images, filter]);
      const kernel = getKernel('Conv2DBackpropFilter', engineName);
      unregisterKernel('Conv2DBackpropFilter', engineName);
      registerKernel({ ...kernel, kernelFunc: (call) => kernel.kernelFunc({ ...call, attrs: { ...call.attrs, wanted: true } }) });
      const [, atOnce] = grads(convolve)([images, filter]);
      unregisterKernel('Conv2DBackpropFilter', engineName);
      registerKernel(kernel);
      expect(Array.from(waited!.dataSync())).toEqual(Array.from(atOnce!.dataSync()));
    });
  });

  describe.skipIf(skipped)('that wait', () => {
    const pending = (): { images: Tensor; dFilter: Tensor } => {
      const images = normals([1, 5, 5, 2], 4);
      const filter = normals([3, 3, 2, 2], 5);
      const [dx, dFilter] = grads((a: Tensor, b: Tensor) => sum(square(fused.conv2d({ x: a as Tensor4D, filter: b as Tensor4D, strides: 1, pad: 'same' }))))([images, filter]);
      dx!.dispose();
      filter.dispose();
      return { images, dFilter: dFilter! };
    };

    it('outlive their inputs, run once, and leave no memory behind', () => {
      const before = { ...memory(), stored: backend().numDataIds() };
      const { images, dFilter } = pending();
      images.dispose();
      const copy = dFilter.clone();
      expect(ran('Conv2DBackpropFilter')).toBe(0);
      const values = Array.from(dFilter.dataSync());
      expect(values.every(Number.isFinite)).toBe(true);
      dFilter.dispose();
      expect(Array.from(copy.dataSync())).toEqual(values);
      expect(ran('Conv2DBackpropFilter')).toBe(1);
      copy.dispose();
      expect({ ...memory(), stored: backend().numDataIds() }).toEqual(before);
    });

    it('are dropped with all that they kept', () => {
      const before = { ...memory(), stored: backend().numDataIds() };
      const { images, dFilter } = pending();
      const copy = dFilter.clone();
      dFilter.dispose();
      copy.dispose();
      images.dispose();
      expect(ran('Conv2DBackpropFilter')).toBe(0);
      expect({ ...memory(), stored: backend().numDataIds() }).toEqual(before);
    });

    it('move to another engine, as do their inputs', async () => {
      const expected = pending();
      const values = Array.from(expected.dFilter.dataSync());
      const before = backend().numDataIds();
      const { images, dFilter } = pending();
      await setBackend('cpu');
      tidy(() => square(images));
      const doubled = tidy(() => add(dFilter, dFilter));
      expect(Array.from(doubled.dataSync())).toEqual(values.map((value) => 2 * value));
      await setBackend(engineName);
      [images, dFilter, doubled].forEach((t) => t.dispose());
      expect(backend().numDataIds()).toBe(before);
      [expected.images, expected.dFilter].forEach((t) => t.dispose());
    });
  });
});
