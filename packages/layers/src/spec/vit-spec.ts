// Shapes: H W pixels, N tokens, D features.
import { expectArgument, expectInteger, expectOneOf } from '@moe/core';
import type { Router } from '@moe/router';
import { type NetworkOptions, expectCommonOptions } from './network-options.js';
import type { LayerPart, LayerSpec, NetworkSpec, RowShape } from './parts.js';
import { partOutputShape } from './part-shape.js';

/** Which feed-forward layers of a transformer are mixtures. */
export interface VitMoeOptions {
  /** Numbers of the blocks, from 0. */
  readonly layers: readonly number[];
  /** One router for all, or a function of the number of the block. */
  readonly router: Router | ((layer: number) => Router);
  /** Whether all experts of a layer start alike, as in V-MoE. @defaultValue true */
  readonly sharedStart?: boolean;
}

export interface VitOptions extends Omit<NetworkOptions, 'moe' | 'batchNorm'> {
  /** Side of a patch in pixels; must divide the image. */
  readonly patch: number;
  /** Features of a token, D. */
  readonly width: number;
  /** Number of blocks. */
  readonly depth: number;
  /** Features inside the feed-forward layers. */
  readonly hidden: number;
  /** Attention heads; must divide the width. */
  readonly heads: number;
  /** `'token'`: a class token; `'gap'`: mean of all tokens; `'map'`: attention of a learned probe. @defaultValue 'token' */
  readonly head?: 'token' | 'gap' | 'map';
  /** @defaultValue 'learned' */
  readonly position?: 'learned' | 'sincos2d' | 'none';
  /** Features of a tanh layer before the classifier. @defaultValue none */
  readonly representation?: number;
  /** @defaultValue dense */
  readonly moe?: VitMoeOptions;
}

const OWN = ['patch', 'width', 'depth', 'hidden', 'heads', 'head', 'position', 'representation'];

/**
 * Describes a vision transformer without making any weight: every layer with its shapes, in execution order.
 *
 * @returns What {@link vit} builds, and what {@link countParameters} and {@link countMacs} take.
 * @throws {@link ArgumentError} if an option breaks its rule.
 * @see {@link https://arxiv.org/abs/2010.11929 | Dosovitskiy et al. 2021}; {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}
 */
export function vitSpec(options: VitOptions): NetworkSpec {
  expectVitOptions(options);
  const { patch, width, depth, hidden, heads, head = 'token', position = 'learned', representation, moe, classes, inputShape, normalize, seed } = options;
  const layers: LayerSpec[] = [];
  const shapes = new Map<string, RowShape>([['input', inputShape]]);
  const push = (name: string, part: LayerPart, ...inputs: string[]): string => {
    const shape = shapes.get(inputs[0]!)!;
    const outputShape = partOutputShape(part, shape);
    layers.push({ name, part, inputs, inputShape: shape, outputShape });
    shapes.set(name, outputShape);
    return name;
  };

  const image = normalize === undefined ? 'input' : push('normalize', { kind: 'normalize', mean: normalize.mean, std: normalize.std }, 'input');
  let last = push('tokens', { kind: 'tokens', classToken: head === 'token', position }, push('embedding', { kind: 'patches', patch, width }, image));
  for (let layer = 0; layer < depth; layer++) {
    const path = `block${layer}`;
    const mixed = push(`${path}.attention`, { kind: 'attention', heads }, push(`${path}.norm1`, { kind: 'layerNorm' }, last));
    const attended = push(`${path}.add1`, { kind: 'add' }, last, mixed);
    const normed = push(`${path}.norm2`, { kind: 'layerNorm' }, attended);
    const fed = push(`${path}.mlp`, feedForwardPart(layer, hidden, moe), normed);
    last = push(`${path}.add2`, { kind: 'add' }, attended, fed);
  }
  const normed = push('norm', { kind: 'layerNorm' }, last);
  const pooled = push('pool', head === 'map' ? { kind: 'attentionPool', heads, hidden } : { kind: 'pool', pool: head }, normed);
  const features = representation === undefined ? pooled : push('representation', { kind: 'linear', units: representation, activation: 'tanh' }, pooled);
  push('fc', { kind: 'linear', units: classes, start: 'zeros' }, features);
  return { name: 'vit', inputShape, classes, seed, layers };
}

/** The feed-forward layer of a block, or a mixture of them where one with more than one expert belongs. */
function feedForwardPart(layer: number, hidden: number, moe: VitMoeOptions | undefined): LayerPart {
  if (moe?.layers.includes(layer) !== true) return { kind: 'feedForward', hidden };
  const router = typeof moe.router === 'function' ? moe.router(layer) : moe.router;
  return router.numExperts > 1 ? { kind: 'denseMoe', hidden, router, sharedStart: moe.sharedStart ?? true } : { kind: 'feedForward', hidden };
}

function expectVitOptions(options: VitOptions): void {
  expectCommonOptions('vit', options, OWN);
  const { patch, width, depth, hidden, heads, head = 'token', position = 'learned', representation, moe, inputShape } = options;
  for (const [name, value] of Object.entries({ patch, width, depth, hidden, heads, ...(representation !== undefined && { representation }) })) expectInteger('vit', name, value, 1);
  expectOneOf('vit', 'head', head, ['token', 'gap', 'map']);
  expectOneOf('vit', 'position', position, ['learned', 'sincos2d', 'none']);
  expectArgument('vit', 'heads', width % heads === 0, `divide the width ${width}`, heads);
  expectArgument('vit', 'patch', inputShape[0]! % patch === 0 && inputShape[1]! % patch === 0, `divide the image ${inputShape[0]} × ${inputShape[1]}`, patch);
  if (moe === undefined) return;
  expectArgument('vit', 'moe.layers', moe.layers.length >= 1 && moe.layers.every((layer) => Number.isInteger(layer) && layer >= 0 && layer < depth), `be numbers of blocks from 0 to ${depth - 1}`, moe.layers);
  expectArgument('vit', 'moe.router', typeof moe.router === 'function' || typeof moe.router?.route === 'function', 'be a Router or a function that returns one', moe.router);
}
