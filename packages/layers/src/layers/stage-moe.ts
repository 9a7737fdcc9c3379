// Shapes: B batch, H W pixels, C channels.
import { type Tensor, type Tensor4D, add, type serialization, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { convolve } from '../ops/convolution.js';
import { type BlockSpec, type LayerPart, outerSkip } from '../spec/parts.js';
import { applyBatchNorm, batchNormOf } from './apply-batch-norm.js';
import { type CallArguments, readCallArguments } from './call-arguments.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { runBlock } from './run-block.js';
import { type WeightSpec, outerSkipWeights, stageWeights } from './weights.js';
import { onlyTensor } from './weighted-layer.js';

/**
 * A whole stage whose experts are several residual blocks in a row.
 *
 * @remarks
 * With `residual`, a skip that all rows share is added to the mixture: the identity, or a 1x1 convolution and batch norm where the shape changes; no ReLU follows.
 *
 * @see {@link https://arxiv.org/abs/2204.10598 | Pavlitska et al. 2023}, ResBlock-MoE, "default" and "residual".
 *
 * @example
 * const blocks = [{ inChannels: 64, filters: 50, stride: 2 }, { inChannels: 50, filters: 128, stride: 1 }];
 * const moe = new StageMoe({ name: 'moe', blocks, residual: true, router, seed: 1 });
 * const y = moe.apply(x); // [B,H,W,64] → [B,H/2,W/2,128]
 */
export class StageMoe extends RoutedLayer {
  static readonly className = 'StageMoe';
  readonly blocks: readonly BlockSpec[];
  readonly residual: boolean;
  #skip: Readonly<Record<string, LayerVariable>> = {};

  constructor(args: RoutedLayerArgs & { readonly blocks: readonly BlockSpec[]; readonly residual?: boolean }) {
    super(args);
    this.blocks = args.blocks;
    this.residual = args.residual ?? false;
  }

  get part(): LayerPart {
    return { kind: 'stageMoe', blocks: this.blocks, residual: this.residual, ...this.mixture };
  }

  protected get rowShape(): readonly (number | null)[] {
    return [null, null, this.blocks[0]!.inChannels];
  }

  protected expertWeights(): readonly WeightSpec[] {
    return stageWeights(this.blocks);
  }

  override build(inputShape: Shape): void {
    super.build(inputShape);
    this.#skip = this.addWeights(outerSkipWeights(this));
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor, call: CallArguments): Tensor {
    return this.blocks.reduce((x, block, i) => runBlock(block, weights, x, call, `${i}/`), rows as Tensor4D);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      const mixed = super.call(inputs, kwargs);
      if (!this.residual) return mixed;
      const x = onlyTensor(inputs);
      const conv = outerSkip(this);
      if (conv === undefined) return add(mixed, x);
      return add(mixed, applyBatchNorm(convolve(x, this.#skip['skip.0/kernel']!.read() as Tensor4D, conv.stride), batchNormOf(this.#skip, 'skip.1/'), this.blocks[0]!.batchNorm, readCallArguments(kwargs)));
    });
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), blocks: this.blocks.map((block) => ({ ...block })), residual: this.residual };
  }
}
