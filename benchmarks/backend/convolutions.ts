import { type Tensor4D, conv2d, depthwiseConv2d, dispose, grad, randomNormal, tidy } from '@tensorflow/tfjs-core';
import type { BenchmarkOptions, MeasuredRow } from '../benchmark.js';
import { interleave } from '../timing.js';

interface Convolution {
  readonly name: string;
  /** x `[batch, side, side, channels]` → `[batch, side / stride, side / stride, filters]`; depthwise, one filter a channel, where `filters` is not given. */
  readonly sizes: { batch: number; side: number; channels: number; filters?: number; kernel: number; stride: number };
  /** Allowed time of a gradient per multiply-add, in those of the forward pass. */
  readonly limit: number;
}

const CONVOLUTIONS: readonly Convolution[] = [
  { name: 'conv3x3-s1', sizes: { batch: 16, side: 32, channels: 64, filters: 64, kernel: 3, stride: 1 }, limit: 2.5 },
  { name: 'conv3x3-s1-narrow', sizes: { batch: 64, side: 28, channels: 16, filters: 16, kernel: 3, stride: 1 }, limit: 2.5 },
  { name: 'conv3x3-s2', sizes: { batch: 16, side: 32, channels: 64, filters: 128, kernel: 3, stride: 2 }, limit: 4 },
  { name: 'conv3x3-s2-narrow', sizes: { batch: 64, side: 28, channels: 16, filters: 32, kernel: 3, stride: 2 }, limit: 4 },
  // One multiply-add for every number read: twice the forward pass is what reading two large tensors instead of one may cost.
  { name: 'depthwise3x3', sizes: { batch: 16, side: 32, channels: 128, kernel: 3, stride: 1 }, limit: 2.5 },
];

/** Gradients of convolutions against their forward pass. All three do the same number of multiply-adds. */
export async function* convolutionRows({ quick }: BenchmarkOptions): AsyncGenerator<MeasuredRow> {
  for (const { name, sizes: { batch, side, channels, filters, kernel, stride }, limit } of CONVOLUTIONS) {
    const x = randomNormal([batch, side, side, channels], 0, 1, 'float32', 1) as Tensor4D;
    const filter = randomNormal([kernel, kernel, channels, filters ?? 1], 0, 1, 'float32', 2) as Tensor4D;
    const forward = (images: Tensor4D, taps: Tensor4D) => (filters === undefined ? depthwiseConv2d : conv2d)(images, taps, stride, 'same');
    const dy = forward(x, filter);
    const gradX = grad((t) => forward(t as Tensor4D, filter));
    const gradFilter = grad((t) => forward(x, t as Tensor4D));
    // The gradient of the filter is read, because it may wait until somebody uses it.
    const [plain, input, taps] = interleave(
      [() => forward(x, filter).dispose(), () => tidy(() => void gradX(x, dy)), () => tidy(() => void gradFilter(filter, dy).dataSync())],
      quick ? 10 : 40,
    );
    const multiplyAdds = dy.size * kernel * kernel * (filters === undefined ? 1 : channels);
    const picoseconds = (milliseconds: number): number => (milliseconds * 1e9) / multiplyAdds;
    // `grad` runs the forward pass as well; its time is taken off.
    yield { name: `wasm/${name}/input-gradient`, ours: picoseconds(input - plain), theirs: picoseconds(plain), unit: 'ps/MAC', limit };
    yield { name: `wasm/${name}/filter-gradient`, ours: picoseconds(taps - plain), theirs: picoseconds(plain), unit: 'ps/MAC', limit };
    dispose([x, filter, dy]);
  }
}
