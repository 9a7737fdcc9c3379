// Shapes: H W pixels, C channels.
import { expectArgument, expectInteger, expectKnownKeys, expectNumber, expectOneOf } from '@moe/core';
import type { Router } from '@moe/router';
import { paddingOf } from '../ops/convolution.js';
import { partOutputShape } from './part-shape.js';
import { type BlockSpec, type ConvSpec, type LayerPart, type LayerSpec, type ResnetSpec, type RowShape, blockConvs } from './parts.js';
import { covers, expectPlaces } from './places.js';

/** Where and how a network branches into experts. */
export interface ResnetMoeOptions {
  /**
   * Paths as in torchvision. Every block (or convolution) at or below one becomes an MoE layer:
   * `'layer4'`, `'layer4.1'`, `['layer3.0', 'layer4']`, `'layer4.1.conv1'` (`kind: 'conv'`).
   */
  readonly at: string | readonly string[];
  /** `'block'`: experts are whole BasicBlocks with their own batch norm; `'conv'`: bare convolutions that share the batch norm after them. */
  readonly kind: 'block' | 'conv';
  /** One router for all places, or a function of the input shape `[H,W,C]` of the place. A router with one expert leaves the place dense. */
  readonly router: Router | ((inputShape: RowShape) => Router);
  /** With `kind: 'conv'`: whether the 1x1 convolution of a skip counts too, as in the released code of *Robust Experts*. @defaultValue true */
  readonly downsample?: boolean;
}

export interface ResnetOptions {
  /** Number of weighted layers: blocks per stage 1,1,1,1 (10), 2,2,2,2 (18) or 3,4,6,3 (34). */
  readonly depth: 10 | 18 | 34;
  /** Channels of the first stage; the others have 2, 4 and 8 times as many. @defaultValue 64 */
  readonly width?: number;
  /** `'cifar'`: one 3x3 convolution; `'imagenet'`: 7x7 with stride 2 and max pooling. */
  readonly stem: 'cifar' | 'imagenet';
  readonly classes: number;
  /** `[H,W,C]` of an image. */
  readonly inputShape: RowShape;
  /** Per channel, subtracted and divided inside the model, so that images stay in [0, 1] outside. @defaultValue none */
  readonly normalize?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** @defaultValue dense */
  readonly moe?: ResnetMoeOptions;
  /** Seed of the initial weights. */
  readonly seed: number;
}

const BLOCKS = { 10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 34: [3, 4, 6, 3] } as const;

function expectOptions(caller: string, { depth, width = 64, stem, classes, inputShape, normalize, moe, seed, ...rest }: ResnetOptions): void {
  expectKnownKeys(caller, rest, ['depth', 'width', 'stem', 'classes', 'inputShape', 'normalize', 'moe', 'seed']);
  expectOneOf(caller, 'depth', depth, [10, 18, 34]);
  expectInteger(caller, 'width', width, 1);
  expectOneOf(caller, 'stem', stem, ['cifar', 'imagenet']);
  expectInteger(caller, 'classes', classes, 1);
  expectInteger(caller, 'seed', seed, 0);
  expectArgument(caller, 'inputShape', Array.isArray(inputShape) && inputShape.length === 3, 'be [height, width, channels]', inputShape);
  inputShape.forEach((size, i) => expectInteger(caller, `inputShape[${i}]`, size, 1));
  if (normalize !== undefined) {
    expectKnownKeys(caller, normalize, ['mean', 'std']);
    for (const key of ['mean', 'std'] as const) {
      const values = normalize[key];
      expectArgument(caller, `normalize.${key}`, Array.isArray(values) && values.length === inputShape[2], `have one value per channel (${inputShape[2]!})`, values);
      values.forEach((value, i) => expectNumber(caller, `normalize.${key}[${i}]`, value));
    }
    expectArgument(caller, 'normalize.std', normalize.std.every((value) => value > 0), 'be positive', normalize.std);
  }
  if (moe !== undefined) {
    expectKnownKeys(caller, moe, ['at', 'kind', 'router', 'downsample']);
    expectOneOf(caller, 'moe.kind', moe.kind, ['block', 'conv']);
    expectArgument(caller, 'moe.downsample', moe.downsample === undefined || moe.kind === 'conv', "be left out with kind 'block'", moe.downsample, 'A block always holds its own skip.');
    expectArgument(caller, 'moe.router', typeof moe.router === 'function' || typeof moe.router?.route === 'function', 'be a Router or a function that returns one', moe.router);
  }
}

/** Collects layers and the shapes between them. */
class SpecBuilder {
  readonly layers: LayerSpec[] = [];
  /** Paths of what could become an MoE layer of the wanted kind. */
  readonly candidates: string[] = [];
  readonly #shapes = new Map<string, RowShape>();
  readonly #moe: ResnetMoeOptions | undefined;
  readonly #places: readonly string[];

  constructor(inputShape: RowShape, moe: ResnetMoeOptions | undefined) {
    this.#shapes.set('input', inputShape);
    this.#moe = moe;
    this.#places = moe === undefined ? [] : [moe.at].flat();
  }

  push(name: string, part: LayerPart, ...inputs: readonly string[]): string {
    const inputShape = this.shape(inputs[0]!);
    const outputShape = partOutputShape(part, inputShape);
    this.layers.push({ name, part, inputs, inputShape, outputShape });
    this.#shapes.set(name, outputShape);
    return name;
  }

  shape(name: string): RowShape {
    return this.#shapes.get(name)!;
  }

  /** The router of the place, if an MoE layer with more than one expert belongs there. */
  router(kind: 'block' | 'conv', path: string, input: string): Router | undefined {
    if (this.#moe?.kind !== kind) return undefined;
    this.candidates.push(path);
    if (!this.#places.some((place) => covers(place, path))) return undefined;
    const { router } = this.#moe;
    const chosen = typeof router === 'function' ? router(this.shape(input)) : router;
    return chosen.numExperts > 1 ? chosen : undefined;
  }

  conv(name: string, conv: ConvSpec, input: string): string {
    const isSkip = name.includes('.downsample.');
    const router = isSkip && this.#moe?.downsample === false ? undefined : this.router('conv', name, input);
    return this.push(name, router === undefined ? { kind: 'conv', conv } : { kind: 'convMoe', conv, router }, input);
  }

  block(path: string, block: BlockSpec, input: string): string {
    const router = this.router('block', path, input);
    if (router !== undefined) return this.push(path, { kind: 'blockMoe', block, router }, input);
    const { conv1, conv2, downsample } = blockConvs(block);
    const first = this.push(`${path}.bn1`, { kind: 'batchNorm' }, this.conv(`${path}.conv1`, conv1, input));
    const active = this.push(`${path}.relu1`, { kind: 'relu' }, first);
    const second = this.push(`${path}.bn2`, { kind: 'batchNorm' }, this.conv(`${path}.conv2`, conv2, active));
    const skip = downsample === undefined ? input : this.push(`${path}.downsample.1`, { kind: 'batchNorm' }, this.conv(`${path}.downsample.0`, downsample, input));
    return this.push(`${path}.relu2`, { kind: 'relu' }, this.push(`${path}.add`, { kind: 'add' }, second, skip));
  }

  stem(stem: ResnetOptions['stem'], width: number, input: string): string {
    const kernelSize = stem === 'cifar' ? 3 : 7;
    const conv = this.conv('conv1', { inChannels: this.shape(input)[2]!, filters: width, kernelSize, stride: stem === 'cifar' ? 1 : 2 }, input);
    const active = this.push('relu', { kind: 'relu' }, this.push('bn1', { kind: 'batchNorm' }, conv));
    if (stem === 'cifar') return active;
    const [height = 1, columns = 1] = this.shape(active);
    // After ReLU a padded zero never exceeds a real value, so zeros stand in for PyTorch's -∞.
    const padded = this.push('maxpool.pad', { kind: 'zeroPad', padding: [paddingOf(height, 3, 2), paddingOf(columns, 3, 2)] }, active);
    return this.push('maxpool', { kind: 'maxPool', poolSize: 3, stride: 2 }, padded);
  }
}

/**
 * Describes a ResNet without making any weight: every layer with its shapes, in execution order.
 *
 * @returns What {@link resnet} builds, and what {@link countParameters} and {@link countMacs} take.
 * @throws {@link ArgumentError} if an option breaks its rule, or a place does not exist.
 * @see {@link https://arxiv.org/abs/1512.03385 | He et al. 2016}; {@link https://arxiv.org/abs/2509.05086 | Robust Experts}, placement of MoE layers.
 */
export function resnetSpec(options: ResnetOptions): ResnetSpec {
  expectOptions('resnet', options);
  const { depth, width = 64, stem, classes, inputShape, normalize, moe, seed } = options;
  const builder = new SpecBuilder(inputShape, moe);
  const image = normalize === undefined ? 'input' : builder.push('normalize', { kind: 'normalize', mean: normalize.mean, std: normalize.std }, 'input');
  let last = builder.stem(stem, width, image);
  BLOCKS[depth].forEach((count, stage) => {
    const filters = width * 2 ** stage;
    for (let i = 0; i < count; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      last = builder.block(`layer${stage + 1}.${i}`, { inChannels: builder.shape(last)[2]!, filters, stride }, last);
    }
  });
  if (moe !== undefined) expectPlaces('resnet', [moe.at].flat(), builder.candidates);
  builder.push('fc', { kind: 'linear', units: classes }, builder.push('avgpool', { kind: 'globalAveragePool' }, last));
  return { name: `resnet${depth}`, inputShape, classes, seed, layers: builder.layers };
}
