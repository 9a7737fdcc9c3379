// Shapes: B batch, H W pixels, C channels.
import { expectArgument, expectInteger } from '@moe/core';
import { type Tensor, type Tensor1D, type Tensor4D, conv2d, mul, relu, reverse, type serialization, sub, tidy, transpose } from '@tensorflow/tfjs-core';
import { type LayerVariable, type Shape, initializers } from '@tensorflow/tfjs-layers';
import { KernelLayer, type LipschitzLayerArgs, onlyTensor, rowShape } from './kernel-layer.js';
import { sllFactors } from './kernels.js';

/** Options of {@link SllConv2D}. */
export interface SllConv2DArgs extends LipschitzLayerArgs {
  /** Hidden channels. @defaultValue as many as the image has */
  readonly hidden?: number;
  /** Taps along both axes, odd. */
  readonly kernelSize: number;
}

/** The kernel of the transposed convolution, for stride 1 and an odd number of taps. */
export const transposedKernel = (kernel: Tensor4D): Tensor4D => transpose(reverse(kernel, [0, 1]), [0, 1, 3, 2]);

/**
 * Residual layer `x − 2 Wᵀ T⁻¹ relu(W x + b)` of convolutions that never stretches a difference of images in L2; see {@link SllDense}.
 *
 * @remarks
 * W has zeros around the image and stride 1. T sums over all offsets, so it holds for images of every size.
 *
 * Tensors: `[B,H,W,C]` → the same. Saved models need {@link registerLipschitzLayers} before they are loaded.
 *
 * @throws {@link ArgumentError} if an option breaks its rule; {@link ShapeError} if inputs are not `[B,H,W,C]`.
 * @see {@link https://arxiv.org/abs/2303.03169 | Araujo et al. 2023}
 *
 * @example
 * new SllConv2D({ hidden: 32, kernelSize: 3, seed: 1 });
 */
export class SllConv2D extends KernelLayer {
  static readonly className = 'SllConv2D';
  readonly hidden: number | undefined;
  readonly kernelSize: number;
  #logWeights: LayerVariable | undefined;

  constructor(args: SllConv2DArgs) {
    super(args);
    const { hidden, kernelSize } = args;
    if (hidden !== undefined) expectInteger('SllConv2D', 'hidden', hidden, 1);
    expectInteger('SllConv2D', 'kernelSize', kernelSize, 1);
    expectArgument('SllConv2D', 'kernelSize', kernelSize % 2 === 1, 'be odd', kernelSize);
    this.hidden = hidden;
    this.kernelSize = kernelSize;
  }

  override build(inputShape: Shape | Shape[]): void {
    const channels = rowShape(this, inputShape, ['B', 'H', 'W', 'C'])[2]!;
    const hidden = this.hidden ?? channels;
    this.addKernel([this.kernelSize, this.kernelSize, channels, hidden], this.kernelSize ** 2 * channels, hidden);
    this.#logWeights = this.addWeight('log_weights', [hidden], 'float32', initializers.zeros());
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs) as Tensor4D;
      const kernel = this.kernel as Tensor4D;
      const active = relu(this.withBias(conv2d(x, kernel, 1, 'same')));
      return sub(x, conv2d(mul(active, sllFactors(kernel, this.#logWeights!.read() as Tensor1D)) as Tensor4D, transposedKernel(kernel), 1, 'same'));
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), kernelSize: this.kernelSize, ...(this.hidden !== undefined && { hidden: this.hidden }) };
  }
}
