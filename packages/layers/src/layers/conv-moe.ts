import type { Tensor, Tensor4D, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { convolve } from '../ops/convolution.js';
import type { ConvSpec, LayerPart } from '../spec/parts.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, convWeights } from './weights.js';

/** A convolution whose experts are bare convolutions; the batch norm after it is shared. */
export class ConvMoe extends RoutedLayer {
  static readonly className = 'ConvMoe';
  readonly conv: ConvSpec;

  constructor(args: RoutedLayerArgs & { readonly conv: ConvSpec }) {
    super(args);
    this.conv = args.conv;
  }

  get part(): LayerPart {
    return { kind: 'convMoe', conv: this.conv, router: this.router };
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
