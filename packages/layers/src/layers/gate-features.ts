// Shapes: B batch, H W pixels, C channels, F features.
import { expectArgument } from '@moe/core';
import { type Tensor, avgPool, reshape, tidy } from '@tensorflow/tfjs-core';
import type { Shape } from '@tensorflow/tfjs-layers';
import { project } from '../ops/transformer.js';
import { PartLayer, type PartLayerArgs, type PartOf } from './part-layer.js';
import { onlyTensor } from './weighted-layer.js';
import { type WeightSpec, gateFeatureWeights } from './weights.js';

/**
 * What several gates look at: a 3×3 convolution of the image without padding, averaged over all positions, `[B,H,W,C] → [B,F]`.
 *
 * @remarks
 * The average of the outputs is the output at averaged inputs, which is what runs.
 *
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, one gate for several stages.
 */
export class GateFeatures extends PartLayer<'gateFeatures'> {
  static readonly className = 'MoeGateFeatures';

  protected describe({ features }: PartLayerArgs<'gateFeatures'>): PartOf<'gateFeatures'> {
    return { kind: 'gateFeatures', features };
  }

  protected weightSpecs([, , channels = 0]: readonly number[]): readonly WeightSpec[] {
    return gateFeatureWeights(channels, this.part.features);
  }

  override build(inputShape: Shape): void {
    const [, height, width] = inputShape;
    expectArgument('GateFeatures', `input of '${this.name}'`, (height ?? 0) >= 3 && (width ?? 0) >= 3, 'be at least 3 × 3 pixels', inputShape);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[]): Tensor {
    return tidy(() => {
      const x = onlyTensor(inputs);
      const [batch, height, width, channels] = x.shape;
      const pooled = avgPool(x, [height - 2, width - 2], 1, 'valid');
      return project(reshape(pooled, [batch, 9 * channels]), reshape(this.read('kernel'), [9 * channels, this.part.features]), this.read('bias'));
    });
  }
}
