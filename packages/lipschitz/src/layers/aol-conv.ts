// Shapes: B batch, H W pixels, C channels in, F filters.
import { expectInteger, expectOneOf } from '@moe/core';
import { type Tensor, type Tensor4D, conv2d, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { KernelLayer, type LipschitzLayerArgs, onlyTensor, rowShape } from './kernel-layer.js';
import { aolKernel } from './kernels.js';

/** Options of {@link AolConv2D}. */
export interface AolConv2DArgs extends LipschitzLayerArgs {
  readonly filters: number;
  /** Taps along both axes. */
  readonly kernelSize: number;
  /** Along both axes. @defaultValue 1 */
  readonly strides?: number;
  /** As in tfjs, with zeros. @defaultValue 'same' */
  readonly padding?: 'same' | 'valid';
}

/**
 * Convolution that never stretches a difference of images in L2: its kernel is scaled, channel by channel, "almost orthogonal".
 *
 * @remarks
 * The factor of a channel is `(Σ |K ∗ Kᵀ|)^(-1/2)` over all channels and offsets, which holds for images of every size, with zeros around them. With a stride, offsets of whole strides count
 * alone, and the phases of the stride are channels of their own. The side with fewer channels is scaled; see {@link AolDense}, also for where this differs from the paper.
 *
 * Tensors: `[B,H,W,C]` → `[B,H',W',F]`. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if an option breaks its rule; {@link ShapeError} if inputs are not `[B,H,W,C]`.
 * @see {@link https://arxiv.org/abs/2208.03160 | Prach & Lampert 2022}
 *
 * @example
 * new AolConv2D({ filters: 16, kernelSize: 4, strides: 2, inputShape: [28, 28, 1], seed: 1 });
 */
export class AolConv2D extends KernelLayer {
  static readonly className = 'AolConv2D';
  readonly filters: number;
  readonly kernelSize: number;
  readonly strides: number;
  readonly padding: 'same' | 'valid';

  constructor(args: AolConv2DArgs) {
    super(args);
    const { filters, kernelSize, strides = 1, padding = 'same' } = args;
    for (const [name, value] of Object.entries({ filters, kernelSize, strides })) expectInteger('AolConv2D', name, value, 1);
    expectOneOf('AolConv2D', 'padding', padding, ['same', 'valid']);
    this.filters = filters;
    this.kernelSize = kernelSize;
    this.strides = strides;
    this.padding = padding;
  }

  override build(inputShape: Shape | Shape[]): void {
    const channels = rowShape(this, inputShape, ['B', 'H', 'W', 'C'])[2]!;
    this.addKernel([this.kernelSize, this.kernelSize, channels, this.filters], this.kernelSize ** 2 * channels, this.filters);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => this.withBias(conv2d(onlyTensor(inputs) as Tensor4D, aolKernel(this.kernel as Tensor4D, [this.strides, this.strides]), this.strides, this.padding)));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const { kernelSize, strides, filters, padding } = this;
    const size = (pixels: number | null): number | null => (pixels === null ? null : Math.ceil((padding === 'same' ? pixels : pixels - kernelSize + 1) / strides));
    return [inputShape[0]!, size(inputShape[1]!), size(inputShape[2]!), filters];
  }

  override getConfig(): serialization.ConfigDict {
    const { filters, kernelSize, strides, padding } = this;
    return { ...super.getConfig(), filters, kernelSize, strides, padding };
  }
}
