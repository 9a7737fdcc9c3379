// Shapes: B batch, D features, U units.
import { type Tensor, relu, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { project } from '../ops/transformer.js';
import type { LayerPart } from '../spec/parts.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, linearWeights } from './weights.js';

/**
 * A linear layer with ReLU whose experts are such layers: `[B,D] → [B,U]`.
 *
 * @example
 * const moe = new LinearMoe({ name: 'moe', width: 64, units: 32, router, seed: 1 });
 * const y = moe.apply(x); // [B,64] → [B,32]
 */
export class LinearMoe extends RoutedLayer {
  static readonly className = 'LinearMoe';
  readonly width: number;
  readonly units: number;

  constructor(args: RoutedLayerArgs & { readonly width: number; readonly units: number }) {
    super(args);
    this.width = args.width;
    this.units = args.units;
  }

  get part(): LayerPart {
    return { kind: 'linearMoe', units: this.units, ...this.mixture };
  }

  protected get rowShape(): readonly number[] {
    return [this.width];
  }

  protected expertWeights(): readonly WeightSpec[] {
    return linearWeights(this.width, this.units);
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor): Tensor {
    return tidy(() => relu(project(rows, weights['kernel']!.read(), weights['bias']!.read())));
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), width: this.width, units: this.units };
  }
}
