// Shapes: B batch, N tokens, D features.
import type { Tensor, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { feedForward } from '../ops/transformer.js';
import type { LayerPart } from '../spec/parts.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, feedForwardWeights } from './weights.js';

/** Options of {@link DenseMoe}. */
export interface DenseMoeArgs extends RoutedLayerArgs {
  /** Features of a token, D. */
  readonly width: number;
  /** Features inside an expert. */
  readonly hidden: number;
}

/**
 * A feed-forward layer whose experts each see the tokens that are routed to them: `[B,N,D] → [B,N,D]`.
 *
 * @remarks
 * The router sees B·N tokens and is told that N of them belong to an example. With {@link softMoeRouter} it is a Soft MoE layer. Each expert is two linear layers with GELU
 * between.
 *
 * @see {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021} (V-MoE); {@link https://arxiv.org/abs/2308.00951 | Puigcerver et al. 2024} (Soft MoE)
 *
 * @example
 * const moe = new DenseMoe({ name: 'moe', width: 64, hidden: 256, router, seed: 1 });
 * const y = moe.apply(x); // [B,N,64] → [B,N,64]
 */
export class DenseMoe extends RoutedLayer {
  static readonly className = 'DenseMoe';
  readonly width: number;
  readonly hidden: number;

  constructor(args: DenseMoeArgs) {
    super(args);
    this.width = args.width;
    this.hidden = args.hidden;
  }

  get part(): LayerPart {
    return { kind: 'denseMoe', hidden: this.hidden, sharedStart: this.sharedStart, ...this.mixture };
  }

  protected get rowShape(): readonly number[] {
    return [this.width];
  }

  protected override get rowAxes(): number {
    return 2;
  }

  protected expertWeights(): readonly WeightSpec[] {
    return feedForwardWeights(this.width, this.hidden);
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor): Tensor {
    return feedForward(rows, (name) => weights[name]!.read());
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), width: this.width, hidden: this.hidden };
  }
}
