// Shapes: H W pixels, C channels.
import { expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Router } from '@moe/router';
import { type BatchNormConventionName, batchNormConventions } from './batch-norm-convention.js';
import type { RowShape } from './parts.js';

/** What the MoE layers of every network can have. */
export interface SharingOptions {
  /** What the routers see, each through a gate of its own: the input of their experts, or the image as the network sees it. @defaultValue 'input' */
  readonly gateFrom?: 'input' | 'image';
  /** Experts of each MoE layer that every row passes besides, added to the mixture with weight 1. @defaultValue 0 */
  readonly sharedExperts?: number;
}

/** Where and how a network branches into experts. */
export interface MoeOptions extends Omit<SharingOptions, 'gateFrom'> {
  /**
   * Paths as in torchvision. Every stage, block or convolution at or below one becomes an MoE layer:
   * `'layer4'`, `'layer4.1'`, `['layer3.0', 'layer4']`, `'layer4.1.conv1'` (`kind: 'conv'`).
   */
  readonly at: string | readonly string[];
  /**
   * `'block'`: experts are whole blocks with their own batch norm; `'conv'`: bare convolutions that share the batch norm after them; `'stage'`: two narrow
   * blocks in the place of a whole stage, as in the predecessor of *Robust Experts*.
   */
  readonly kind: 'block' | 'conv' | 'stage';
  /** One router for all places, or a function of the shape `[H,W,C]` that it sees at the place. A router with one expert leaves the place dense. */
  readonly router: Router | ((inputShape: RowShape) => Router);
  /**
   * What the routers see: the input of their experts; the image as the network sees it, through a gate of their own each; or, as one gate for several layers, so many features `[F]` that one
   * 3×3 convolution of the image has for all of them, behind which `gapFc()` is a linear layer for each. @defaultValue 'input'
   */
  readonly gateFrom?: 'input' | 'image' | { readonly features: number };
  /** With `kind: 'conv'`: whether the 1x1 convolution of a skip counts too, as in the released code of *Robust Experts*. @defaultValue true */
  readonly downsample?: boolean;
  /** With `kind: 'stage'`: channels between the two blocks of an expert, from the shape of the input and the channels of the output. */
  readonly innerWidth?: (inputShape: RowShape, filters: number) => number;
  /** With `kind: 'stage'`: whether a skip around the whole mixture is added. @defaultValue false */
  readonly residual?: boolean;
}

/** Options that all convolutional networks share. */
export interface NetworkOptions {
  readonly classes: number;
  /** `[H,W,C]` of an image. */
  readonly inputShape: RowShape;
  /** Per channel, subtracted and divided inside the model, so that images stay in [0, 1] outside. @defaultValue none */
  readonly normalize?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /**
   * `'pytorch'`: epsilon 1e-5, an update of the running statistics moves them by a tenth, with the unbiased variance; `'keras'`: epsilon 1e-3, by a
   * hundredth, with the biased one. @defaultValue 'pytorch'
   */
  readonly batchNorm?: BatchNormConventionName;
  /** @defaultValue dense */
  readonly moe?: MoeOptions;
  /** Seed of the initial weights. */
  readonly seed: number;
}

export function expectNetworkOptions(caller: string, options: NetworkOptions, own: readonly string[]): void {
  const { batchNorm = 'pytorch' } = options;
  expectCommonOptions(caller, options, [...own, 'batchNorm']);
  expectOneOf(caller, 'batchNorm', batchNorm, Object.keys(batchNormConventions) as BatchNormConventionName[]);
  if (options.moe !== undefined) expectMoe(caller, options.moe);
}

/** Checks what networks of every kind share, except where they mix. */
export function expectCommonOptions(caller: string, options: Omit<NetworkOptions, 'moe' | 'batchNorm'>, own: readonly string[]): void {
  expectKnownKeys(caller, options, [...own, 'classes', 'inputShape', 'normalize', 'moe', 'seed']);
  const { classes, inputShape, normalize, seed } = options;
  expectInteger(caller, 'classes', classes, 1);
  expectInteger(caller, 'seed', seed, 0);
  expectArgument(caller, 'inputShape', Array.isArray(inputShape) && inputShape.length === 3, 'be [height, width, channels]', inputShape);
  inputShape.forEach((size, i) => expectInteger(caller, `inputShape[${i}]`, size, 1));
  if (normalize !== undefined) expectNormalize(caller, normalize, inputShape[2]!);
}

function expectNormalize(caller: string, normalize: NonNullable<NetworkOptions['normalize']>, channels: number): void {
  expectKnownKeys(caller, normalize, ['mean', 'std']);
  for (const key of ['mean', 'std'] as const) {
    const values = normalize[key];
    expectArgument(caller, `normalize.${key}`, Array.isArray(values) && values.length === channels, `have one value per channel (${channels})`, values);
    values.forEach((value, i) => expectNumber(caller, `normalize.${key}[${i}]`, value));
  }
  expectArgument(caller, 'normalize.std', normalize.std.every((value) => value > 0), 'be positive', normalize.std);
}

/** Checks what the MoE layers of every network can have, and their router. */
export function expectSharing(caller: string, { gateFrom = 'input', sharedExperts = 0, router }: SharingOptions & { readonly router: unknown }): void {
  expectOneOf(caller, 'moe.gateFrom', gateFrom, ['input', 'image']);
  expectInteger(caller, 'moe.sharedExperts', sharedExperts, 0);
  const isRouter = typeof router === 'object' && router !== null && 'route' in router;
  expectArgument(caller, 'moe.router', isRouter || typeof router === 'function', 'be a Router or a function that returns one', router);
}

/** Checks a share of numbers to drop. */
export function expectRate(caller: string, name: string, rate: number): void {
  expectNumber(caller, name, rate, 0);
  expectArgument(caller, name, rate < 1, 'be below 1', rate);
}

function expectMoe(caller: string, { kind, downsample, innerWidth, residual, router, gateFrom = 'input', sharedExperts = 0, ...rest }: MoeOptions): void {
  expectKnownKeys(`${caller}.moe`, rest, ['at']);
  expectOneOf(caller, 'moe.kind', kind, ['block', 'conv', 'stage']);
  if (typeof gateFrom === 'object') {
    expectKnownKeys(`${caller}.moe.gateFrom`, gateFrom, ['features']);
    expectInteger(caller, 'moe.gateFrom.features', gateFrom.features, 1);
  }
  expectSharing(caller, { gateFrom: typeof gateFrom === 'object' ? 'image' : gateFrom, sharedExperts, router });
  expectArgument(caller, 'moe.downsample', downsample === undefined || kind === 'conv', `be left out with kind '${kind}'`, downsample, 'A block always holds its own skip.');
  expectArgument(caller, 'moe.innerWidth', (typeof innerWidth === 'function') === (kind === 'stage'), kind === 'stage' ? 'be a function that gives the channels inside an expert' : `be left out with kind '${kind}'`, innerWidth);
  expectArgument(caller, 'moe.residual', residual === undefined || kind === 'stage', `be left out with kind '${kind}'`, residual);
}
