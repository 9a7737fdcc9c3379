import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { partOutputShape } from '../../spec/part-shape.js';
import type { LayerPart } from '../../spec/parts.js';
import { WeightedLayer, rowShapeOf } from '../weighted-layer.js';
import type { WeightSpec } from '../weights.js';

/** A layer of a transformer: weights by name, output shape from its part. */
export abstract class TokenLayer extends WeightedLayer {
  #weights: Readonly<Record<string, LayerVariable>> = {};

  abstract get part(): LayerPart;
  protected abstract weightSpecs(rowShape: readonly number[]): readonly WeightSpec[];

  override build(inputShape: Shape): void {
    this.#weights = this.addWeights(this.weightSpecs(rowShapeOf(inputShape)));
    this.built = true;
  }

  protected readonly read = (name: string): Tensor => this.#weights[name]!.read();

  override computeOutputShape(inputShape: Shape): Shape {
    return [inputShape[0] ?? null, ...partOutputShape(this.part, rowShapeOf(inputShape))];
  }
}
