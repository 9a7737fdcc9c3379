import { type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { convolve } from '../ops/convolution.js';
import { PartLayer, type PartLayerArgs, type PartOf } from './part-layer.js';
import { onlyTensor } from './weighted-layer.js';
import { type WeightSpec, convWeights } from './weights.js';

/** Convolution without bias and with PyTorch's padding; its gradient never computes a filter gradient nobody asked for. */
export class Conv extends PartLayer<'conv'> {
  static readonly className = 'MoeConv';

  protected describe({ conv }: PartLayerArgs<'conv'>): PartOf<'conv'> {
    return { kind: 'conv', conv };
  }

  protected weightSpecs(): readonly WeightSpec[] {
    return convWeights(this.part.conv, 'out');
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => convolve(onlyTensor(inputs), this.read('kernel') as Tensor4D, this.part.conv.stride));
  }
}
