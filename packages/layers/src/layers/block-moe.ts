// Shapes: B batch, H W pixels, C channels.
import type { Tensor, Tensor4D, serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { BlockSpec, LayerPart } from '../spec/parts.js';
import type { CallArguments } from './call-arguments.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { runBlock } from './run-block.js';
import { type WeightSpec, blockWeights } from './weights.js';

/**
 * A residual block whose experts are whole blocks: own batch norms, own skip, own last ReLU.
 *
 * @remarks
 * The statistics of an expert are over the rows it was given; an expert without rows changes nothing. `resnet` places it; in a model of your own
 * it is used as any tfjs layer, and {@link moeModel} steers it.
 *
 * @see {@link https://arxiv.org/abs/2509.05086 | Robust Experts, 2025}
 *
 * @example
 * const moe = new BlockMoe({ name: 'moe', block: { inChannels: 16, filters: 32, stride: 2 }, router, seed: 1 });
 * const y = moe.apply(x); // [B,H,W,16] → [B,H/2,W/2,32]
 */
export class BlockMoe extends RoutedLayer {
  static readonly className = 'BlockMoe';
  readonly block: BlockSpec;

  constructor(args: RoutedLayerArgs & { readonly block: BlockSpec }) {
    super(args);
    this.block = args.block;
  }

  get part(): LayerPart {
    return { kind: 'blockMoe', block: this.block, ...this.mixture };
  }

  protected get rowShape(): readonly (number | null)[] {
    return [null, null, this.block.inChannels];
  }

  protected expertWeights(): readonly WeightSpec[] {
    return blockWeights(this.block);
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor, call: CallArguments): Tensor {
    return runBlock(this.block, weights, rows as Tensor4D, call);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), block: { ...this.block } };
  }
}
