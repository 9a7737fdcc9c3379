import { type Tensor, relu, tanh, tidy } from '@tensorflow/tfjs-core';
import { project } from '../ops/transformer.js';
import { PartLayer, type PartLayerArgs, type PartOf } from './part-layer.js';
import { onlyTensor } from './weighted-layer.js';
import { type WeightSpec, linearWeights, zeroLinearWeights } from './weights.js';

const ACTIVATIONS = { none: (x: Tensor): Tensor => x, relu: (x: Tensor): Tensor => relu(x), tanh: (x: Tensor): Tensor => tanh(x) };

/** Matrix product and bias, on plain ops, so that unused weight gradients are not computed. */
export class Linear extends PartLayer<'linear'> {
  static readonly className = 'MoeLinear';

  protected describe({ units, start = 'uniform', activation = 'none' }: PartLayerArgs<'linear'>): Required<PartOf<'linear'>> {
    return { kind: 'linear', units, start, activation };
  }

  protected weightSpecs([features = 0]: readonly number[]): readonly WeightSpec[] {
    return (this.part.start === 'zeros' ? zeroLinearWeights : linearWeights)(features, this.part.units);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => ACTIVATIONS[this.part.activation ?? 'none'](project(onlyTensor(inputs), this.read('kernel'), this.read('bias'))));
  }
}
