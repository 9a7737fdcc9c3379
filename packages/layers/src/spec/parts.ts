// Shapes: H W pixels, C channels, E experts.
import type { Router } from '@moe/router';
import type { BatchNormConventionName } from './batch-norm-convention.js';

/** `[H,W,C]` of one image or feature map, `[N,D]` of the tokens of one; `[C]` after pooling. */
export type RowShape = readonly number[];

/** A convolution without bias, `kernelSize` odd, with `(kernelSize - 1) / 2` zeros on every side. */
export interface ConvSpec {
  readonly inChannels: number;
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride: number;
}

/**
 * A residual block.
 *
 * @remarks
 * `'basic'`: conv 3x3 (stride), BN, ReLU, conv 3x3, BN, plus the skip, ReLU. `'bottleneck'`: conv 1x1, BN, ReLU, conv 3x3 (stride), BN, ReLU, conv 1x1, BN, plus the skip, ReLU.
 * `'preactivation'`: BN, ReLU, conv 3x3 (stride), BN, ReLU, conv 3x3, plus the skip. The skip is a 1x1 convolution where the shape changes, with a batch norm after it in the
 * first two and of the activated input in the third; else the identity.
 */
export interface BlockSpec {
  /** @defaultValue 'basic' */
  readonly kind?: BlockKind;
  readonly inChannels: number;
  /** Channels of the output. */
  readonly filters: number;
  readonly stride: number;
  /** Channels between the convolutions. @defaultValue `filters`, or a quarter of them in a bottleneck */
  readonly inner?: number;
  /** Conventions of its batch norms. @defaultValue 'pytorch' */
  readonly batchNorm?: BatchNormConventionName;
}

export type BlockKind = 'basic' | 'bottleneck' | 'preactivation';

/**
 * Which expert of an MoE layer runs for each output of its router: several may share one (after merging), and -1 is none, whose output is 0 (after pruning).
 */
export type Slots = readonly number[];

/** How experts are mixed. */
export interface Mixture {
  readonly router: Router;
  /** Experts that every row passes besides. @defaultValue 0 */
  readonly sharedExperts?: number;
  /** @defaultValue an expert for each output of the router */
  readonly slots?: Slots;
}

/** What one layer computes; plain data, no weights. */
export type LayerPart =
  | { readonly kind: 'normalize'; readonly mean: readonly number[]; readonly std: readonly number[] }
  | { readonly kind: 'conv'; readonly conv: ConvSpec }
  | { readonly kind: 'batchNorm'; readonly convention?: BatchNormConventionName }
  | { readonly kind: 'relu' }
  | { readonly kind: 'add' }
  | { readonly kind: 'zeroPad'; readonly padding: readonly [vertical: readonly [number, number], horizontal: readonly [number, number]] }
  | { readonly kind: 'maxPool'; readonly poolSize: number; readonly stride: number }
  | { readonly kind: 'globalAveragePool' }
  | { readonly kind: 'linear'; readonly units: number; readonly start?: 'uniform' | 'zeros'; readonly activation?: 'none' | 'relu' | 'tanh' }
  | { readonly kind: 'flatten' }
  | { readonly kind: 'patches'; readonly patch: number; readonly width: number }
  | { readonly kind: 'tokens'; readonly classToken: boolean; readonly position: 'learned' | 'sincos2d' | 'none' }
  | { readonly kind: 'layerNorm' }
  | { readonly kind: 'attention'; readonly heads: number }
  | { readonly kind: 'feedForward'; readonly hidden: number; readonly dropout?: number }
  | { readonly kind: 'dropout'; readonly rate: number }
  | { readonly kind: 'gateFeatures'; readonly features: number }
  | { readonly kind: 'pool'; readonly pool: 'token' | 'gap' }
  | { readonly kind: 'attentionPool'; readonly heads: number; readonly hidden: number }
  | ({ readonly kind: 'linearMoe'; readonly units: number } & Mixture)
  | ({ readonly kind: 'denseMoe'; readonly hidden: number; readonly sharedStart: boolean; readonly dropout?: number } & Mixture)
  | ({ readonly kind: 'convMoe'; readonly conv: ConvSpec } & Mixture)
  | ({ readonly kind: 'patchMoe'; readonly conv: ConvSpec; readonly patch: number } & Mixture)
  | ({ readonly kind: 'blockMoe'; readonly block: BlockSpec } & Mixture)
  | ({ readonly kind: 'stageMoe'; readonly blocks: readonly BlockSpec[]; readonly residual: boolean } & Mixture);

/** One layer of a network and where its inputs come from. */
export interface LayerSpec {
  /** Path as in torchvision, e.g. `layer4.1.conv1`. */
  readonly name: string;
  /** Names of the layers that feed it; `'input'` is the image. */
  readonly inputs: readonly string[];
  readonly inputShape: RowShape;
  /** What the router sees, if that is the second input. */
  readonly gateShape?: RowShape;
  readonly outputShape: RowShape;
  readonly part: LayerPart;
}

/** A whole network without its weights: what is built of it, and what the counters count. */
export interface NetworkSpec {
  readonly name: string;
  readonly inputShape: RowShape;
  readonly classes: number;
  readonly seed: number;
  /** In execution order; the last one gives the logits. */
  readonly layers: readonly LayerSpec[];
}

/** The convolutions of a block: those of its branch by name, in order, and that of its skip. */
export interface BlockConvs {
  readonly branch: readonly { readonly name: string; readonly conv: ConvSpec }[];
  readonly downsample?: ConvSpec;
}

export function blockConvs({ kind = 'basic', inChannels, filters, stride, inner = kind === 'bottleneck' ? filters / 4 : filters }: BlockSpec): BlockConvs {
  const conv = (index: number, from: number, to: number, kernelSize: number, step: number): BlockConvs['branch'][number] => ({
    name: `conv${index}`,
    conv: { inChannels: from, filters: to, kernelSize, stride: step },
  });
  const branch =
    kind === 'bottleneck'
      ? [conv(1, inChannels, inner, 1, 1), conv(2, inner, inner, 3, stride), conv(3, inner, filters, 1, 1)]
      : [conv(1, inChannels, inner, 3, stride), conv(2, inner, filters, 3, 1)];
  const changesShape = stride !== 1 || inChannels !== filters;
  return { branch, ...(changesShape && { downsample: { inChannels, filters, kernelSize: 1, stride } }) };
}

/** The convolution beside a stage of experts, if it has a skip that changes shape; batch norm follows it. */
export function outerSkip({ blocks, residual }: { readonly blocks: readonly BlockSpec[]; readonly residual: boolean }): ConvSpec | undefined {
  const [first, last] = [blocks[0]!, blocks.at(-1)!];
  const stride = blocks.reduce((product, block) => product * block.stride, 1);
  if (!residual || (stride === 1 && first.inChannels === last.filters)) return undefined;
  return { inChannels: first.inChannels, filters: last.filters, kernelSize: 1, stride };
}
