import type { Tensor } from '@tensorflow/tfjs-core';
import { readCallArguments } from './call-arguments.js';
import { dropping } from './dropping.js';
import { PartLayer, type PartLayerArgs, type PartOf } from './part-layer.js';
import { onlyTensor } from './weighted-layer.js';
import type { WeightSpec } from './weights.js';

/** Dropout whose draws come from the pass, so that a run that is resumed drops the same. */
export class Dropout extends PartLayer<'dropout'> {
  static readonly className = 'MoeDropout';

  protected describe({ rate }: PartLayerArgs<'dropout'>): PartOf<'dropout'> {
    return { kind: 'dropout', rate };
  }

  protected weightSpecs(): readonly WeightSpec[] {
    return [];
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return dropping(this.name, this.part.rate, readCallArguments(kwargs))<Tensor>(onlyTensor(inputs), 'output');
  }
}
