// Shapes: B batch, H W pixels, C channels.
import { type Tensor, type Tensor4D, add, relu, type serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { convolve } from '../ops/convolution.js';
import { type BlockSpec, type LayerPart, blockConvs } from '../spec/parts.js';
import { applyBatchNorm, batchNormOf } from './apply-batch-norm.js';
import type { CallArguments } from './call-arguments.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, blockWeights } from './weights.js';

/**
 * A residual block whose experts are whole BasicBlocks: own batch norms, own skip, own last ReLU.
 *
 * @remarks
 * The statistics of an expert are over the rows it was given; an expert without rows changes nothing. `resnet` places it; in a model of your own
 * it is used as any tfjs layer, and {@link moeModel} steers it.
 *
 * @see {@link https://arxiv.org/abs/2509.05086 | Robust Experts, 2025}
 *
 * @example
 * const moe = new BlockMoe({ name: 'moe', block: { inChannels: 16, filters: 32, stride: 2 }, router, seed: 1 });
 * const y = moe.apply(x); // [B,H,W,16] → [B,H/2,W/2,32]
 */
export class BlockMoe extends RoutedLayer {
  static readonly className = 'BlockMoe';
  readonly block: BlockSpec;

  constructor(args: RoutedLayerArgs & { readonly block: BlockSpec }) {
    super(args);
    this.block = args.block;
  }

  get part(): LayerPart {
    return { kind: 'blockMoe', block: this.block, router: this.router };
  }

  protected get inChannels(): number {
    return this.block.inChannels;
  }

  protected expertWeights(): readonly WeightSpec[] {
    return blockWeights(this.block);
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor, call: CallArguments): Tensor {
    const x = rows as Tensor4D;
    const { conv1, conv2, downsample } = blockConvs(this.block);
    const kernel = (name: string): Tensor4D => weights[`${name}/kernel`]!.read() as Tensor4D;
    const active = relu(applyBatchNorm(convolve(x, kernel('conv1'), conv1.stride), batchNormOf(weights, 'bn1/'), call));
    const branch = applyBatchNorm(convolve(active, kernel('conv2'), conv2.stride), batchNormOf(weights, 'bn2/'), call);
    const skip = downsample === undefined ? x : applyBatchNorm(convolve(x, kernel('downsample.0'), downsample.stride), batchNormOf(weights, 'downsample.1/'), call);
    return relu(add(branch, skip));
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), block: { ...this.block } };
  }
}
