// Shapes: B batch, N tokens, D features.
import type { Tensor, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { feedForward } from '../ops/transformer.js';
import { expectRate } from '../spec/network-options.js';
import type { LayerPart } from '../spec/parts.js';
import type { CallArguments } from './call-arguments.js';
import { dropping } from './dropping.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, feedForwardWeights } from './weights.js';

/** Options of {@link DenseMoe}. */
export interface DenseMoeArgs extends RoutedLayerArgs {
  /** Features of a token, D. */
  readonly width: number;
  /** Features inside an expert. */
  readonly hidden: number;
  /** Share of numbers that the experts drop in training, inside and of their outputs, in [0, 1). @defaultValue 0; V-MoE-S/32 trained from scratch uses 0.2 */
  readonly dropout?: number;
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
  readonly dropout: number;

  constructor(args: DenseMoeArgs) {
    super(args);
    this.width = args.width;
    this.hidden = args.hidden;
    this.dropout = args.dropout ?? 0;
    expectRate('DenseMoe', 'dropout', this.dropout);
  }

  get part(): LayerPart {
    return { kind: 'denseMoe', hidden: this.hidden, sharedStart: this.sharedStart, dropout: this.dropout, ...this.mixture };
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

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor, call: CallArguments, expert: number): Tensor {
    return feedForward(rows, (name) => weights[name]!.read(), dropping(this.name, this.dropout, call, [this.expertNames[expert]!]));
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), width: this.width, hidden: this.hidden, dropout: this.dropout };
  }
}
