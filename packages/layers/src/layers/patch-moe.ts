// Shapes: B batch, H W pixels, C channels, F filters, p patch side.
import { expectArgument, expectInteger } from '@moe/core';
import { type Tensor, type Tensor4D, conv2d, type serialization } from '@tensorflow/tfjs-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { cutPatches, haloOf, joinPatches, patchShape } from '../ops/image-patches.js';
import type { ConvSpec, LayerPart } from '../spec/parts.js';
import { RoutedLayer, type RoutedLayerArgs } from './routed-layer.js';
import { type WeightSpec, convWeights } from './weights.js';

/** Options of {@link PatchMoe}. */
export interface PatchMoeArgs extends RoutedLayerArgs {
  /** The convolution that each expert is; stride 1. */
  readonly conv: ConvSpec;
  /** Side of a patch in pixels; divides height and width of the maps. */
  readonly patch: number;
}

/**
 * A convolution whose experts each see the patches of the image that are routed to them: `[B,H,W,C] → [B,H,W,F]`.
 *
 * @remarks
 * A patch is cut with a halo of `(kernelSize - 1) / 2` pixels, so that with a single expert this is the ordinary convolution, seams included. The router sees patches
 * `[p+2h,p+2h,C]`, and is told how many belong to an image. It takes no second input.
 *
 * @see {@link https://arxiv.org/abs/2509.05086 | Robust Experts, 2025}, released code; {@link https://arxiv.org/abs/2306.04073 | Chowdhury et al. 2023}, patch-level routing.
 *
 * @example
 * const moe = new PatchMoe({ name: 'moe', conv: { inChannels: 3, filters: 16, kernelSize: 3, stride: 1 }, patch: 8, router, seed: 1 });
 * const y = moe.apply(x); // [B,32,32,3] → [B,32,32,16], 16 rows an image
 */
export class PatchMoe extends RoutedLayer {
  static readonly className = 'PatchMoe';
  readonly conv: ConvSpec;
  readonly patch: number;

  constructor(args: PatchMoeArgs) {
    super(args);
    this.conv = args.conv;
    this.patch = args.patch;
    expectInteger('PatchMoe', 'patch', this.patch, 1);
    expectArgument('PatchMoe', 'conv.stride', this.conv.stride === 1, 'be 1', this.conv.stride);
  }

  get part(): LayerPart {
    return { kind: 'patchMoe', conv: this.conv, patch: this.patch, ...this.mixture };
  }

  protected get rowShape(): readonly (number | null)[] {
    return [null, null, this.conv.inChannels];
  }

  override build(inputShape: Shape | Shape[]): void {
    expectArgument('PatchMoe', `input of '${this.name}'`, !Array.isArray(inputShape[0]), 'be one: its router sees the patches themselves', inputShape);
    const sizes = (inputShape as Shape).slice(1, 3);
    const fits = sizes.every((size) => size !== null && size % this.patch === 0);
    expectArgument('PatchMoe', `input of '${this.name}'`, fits, `have height and width that are multiples of ${this.patch}`, inputShape);
    super.build(inputShape);
  }

  protected override gateShape(row: readonly number[]): readonly number[] {
    return patchShape(this, row);
  }

  protected override toRows(input: Tensor): Tensor {
    return cutPatches(input as Tensor4D, this.patch, haloOf(this.conv.kernelSize));
  }

  protected override fromRows(outputs: Tensor, input: Tensor): Tensor {
    return joinPatches(outputs, input.shape[1]!, input.shape[2]!);
  }

  protected expertWeights(): readonly WeightSpec[] {
    return convWeights(this.conv, 'in');
  }

  protected runExpert(weights: Readonly<Record<string, LayerVariable>>, rows: Tensor): Tensor {
    return conv2d(rows as Tensor4D, weights['kernel']!.read() as Tensor4D, 1, 'valid');
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), conv: { ...this.conv }, patch: this.patch };
  }
}
