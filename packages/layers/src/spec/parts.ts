// Shapes: H W pixels, C channels, E experts.
import type { Router } from '@moe/router';

/** `[H,W,C]` of one image or feature map; `[C]` after pooling. */
export type RowShape = readonly number[];

/** A convolution without bias, `kernelSize` odd, with `(kernelSize - 1) / 2` zeros on every side. */
export interface ConvSpec {
  readonly inChannels: number;
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride: number;
}

/** A BasicBlock: conv 3x3 (stride), BN, ReLU, conv 3x3, BN, plus the skip, ReLU. */
export interface BlockSpec {
  readonly inChannels: number;
  readonly filters: number;
  readonly stride: number;
}

/** What one layer computes; plain data, no weights. */
export type LayerPart =
  | { readonly kind: 'normalize'; readonly mean: readonly number[]; readonly std: readonly number[] }
  | { readonly kind: 'conv'; readonly conv: ConvSpec }
  | { readonly kind: 'batchNorm' }
  | { readonly kind: 'relu' }
  | { readonly kind: 'add' }
  | { readonly kind: 'zeroPad'; readonly padding: readonly [vertical: readonly [number, number], horizontal: readonly [number, number]] }
  | { readonly kind: 'maxPool'; readonly poolSize: number; readonly stride: number }
  | { readonly kind: 'globalAveragePool' }
  | { readonly kind: 'linear'; readonly units: number }
  | { readonly kind: 'convMoe'; readonly conv: ConvSpec; readonly router: Router }
  | { readonly kind: 'blockMoe'; readonly block: BlockSpec; readonly router: Router };

/** One layer of a network and where its inputs come from. */
export interface LayerSpec {
  /** Path as in torchvision, e.g. `layer4.1.conv1`. */
  readonly name: string;
  /** Names of the layers that feed it; `'input'` is the image. */
  readonly inputs: readonly string[];
  readonly inputShape: RowShape;
  readonly outputShape: RowShape;
  readonly part: LayerPart;
}

/** A whole network without its weights: what `resnet` builds and the counters count. */
export interface ResnetSpec {
  readonly name: string;
  readonly inputShape: RowShape;
  readonly classes: number;
  readonly seed: number;
  /** In execution order; the last one gives the logits. */
  readonly layers: readonly LayerSpec[];
}

/** The skip of a block is a 1x1 convolution where its shape changes, else the identity. */
const hasDownsample = ({ inChannels, filters, stride }: BlockSpec): boolean => stride !== 1 || inChannels !== filters;

/** The convolutions of a block by their names in it. */
export function blockConvs(block: BlockSpec): { readonly conv1: ConvSpec; readonly conv2: ConvSpec; readonly downsample?: ConvSpec } {
  const { inChannels, filters, stride } = block;
  return {
    conv1: { inChannels, filters, kernelSize: 3, stride },
    conv2: { inChannels: filters, filters, kernelSize: 3, stride: 1 },
    ...(hasDownsample(block) && { downsample: { inChannels, filters, kernelSize: 1, stride } }),
  };
}
