import type { Tensor, Tensor4D, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { convolve } from '../ops/convolution.js';
import type { ConvSpec, LayerPart } from '../spec/parts.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, convWeights } from './weights.js';

/**
 * A convolution whose experts are bare convolutions without bias; the batch norm after it is shared.
 *
 * @see {@link https://arxiv.org/abs/2509.05086 | Robust Experts, 2025}
 *
 * @example
 * const moe = new ConvMoe({ name: 'moe', conv: { inChannels: 16, filters: 32, kernelSize: 3, stride: 1 }, router, seed: 1 });
 * const y = moe.apply(x); // [B,H,W,16] → [B,H,W,32]
 */
export class ConvMoe extends RoutedLayer {
  static readonly className = 'ConvMoe';
  readonly conv: ConvSpec;

  constructor(args: RoutedLayerArgs & { readonly conv: ConvSpec }) {
    super(args);
    this.conv = args.conv;
  }

  get part(): LayerPart {
    return { kind: 'convMoe', conv: this.conv, ...this.mixture };
  }

  protected get rowShape(): readonly (number | null)[] {
    return [null, null, this.conv.inChannels];
  }

  protected expertWeights(): readonly WeightSpec[] {
    return convWeights(this.conv, 'in');
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor): Tensor {
    return convolve(rows as Tensor4D, weights['kernel']!.read() as Tensor4D, this.conv.stride);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), conv: { ...this.conv } };
  }
}
