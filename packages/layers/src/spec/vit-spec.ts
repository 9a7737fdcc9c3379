// Shapes: H W pixels, N tokens, D features.
import { expectArgument, expectInteger, expectKnownKeys, expectOneOf } from '@moe/core';
import type { Router } from '@moe/router';
import { NetworkBuilder } from './network-builder.js';
import { type NetworkOptions, type SharingOptions, expectCommonOptions, expectRate, expectSharing } from './network-options.js';
import type { LayerPart, NetworkSpec } from './parts.js';

/** Which feed-forward layers of a transformer are mixtures. */
export interface VitMoeOptions extends SharingOptions {
  /** Numbers of the blocks, from 0. */
  readonly layers: readonly number[];
  /** One router for all, or a function of the number of the block. */
  readonly router: Router | ((layer: number) => Router);
  /** Whether all experts of a layer start alike, as in V-MoE. @defaultValue true */
  readonly sharedStart?: boolean;
  /** Share of numbers that experts drop in training, in [0, 1); V-MoE-S/32 trained from scratch has 0.2 here and none elsewhere. @defaultValue that of the network */
  readonly dropout?: number;
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
  /** Share of numbers that training drops of tokens with their positions, behind attention, and inside and behind feed-forward layers, in [0, 1). @defaultValue 0 */
  readonly dropout?: number;
  /** Which feed-forward layers mix; with `gateFrom: 'image'` their routers see the tokens that enter the first block. @defaultValue dense */
  readonly moe?: VitMoeOptions;
}

const OWN = ['patch', 'width', 'depth', 'hidden', 'heads', 'head', 'position', 'representation', 'dropout'];

/**
 * Describes a vision transformer without making any weight: every layer with its shapes, in execution order.
 *
 * @returns What {@link vit} builds, and what {@link countParameters} and {@link countMacs} take.
 * @throws {@link ArgumentError} if an option breaks its rule.
 * @see {@link https://arxiv.org/abs/2010.11929 | Dosovitskiy et al. 2021}; {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021}
 */
export function vitSpec(options: VitOptions): NetworkSpec {
  expectVitOptions(options);
  const { patch, width, depth, hidden, heads, head = 'token', position = 'learned', representation, dropout = 0, moe, classes, inputShape, normalize, seed } = options;
  const builder = new NetworkBuilder(inputShape, { ...(normalize !== undefined && { normalize }) });
  const push = builder.push.bind(builder);
  const drop = (name: string, input: string): string => (dropout === 0 ? input : push(`${name}.dropout`, { kind: 'dropout', rate: dropout }, input));

  const tokens = drop('tokens', push('tokens', { kind: 'tokens', classToken: head === 'token', position }, push('embedding', { kind: 'patches', patch, width }, builder.image)));
  let last = tokens;
  for (let layer = 0; layer < depth; layer++) {
    const path = `block${layer}`;
    const mixed = drop(`${path}.attention`, push(`${path}.attention`, { kind: 'attention', heads }, push(`${path}.norm1`, { kind: 'layerNorm' }, last)));
    const attended = push(`${path}.add1`, { kind: 'add' }, last, mixed);
    const normed = push(`${path}.norm2`, { kind: 'layerNorm' }, attended);
    const part = feedForwardPart(layer, options);
    const gate = part.kind === 'denseMoe' && moe?.gateFrom === 'image' ? [tokens] : [];
    last = push(`${path}.add2`, { kind: 'add' }, attended, push(`${path}.mlp`, part, normed, ...gate));
  }
  const normed = push('norm', { kind: 'layerNorm' }, last);
  const pooled = push('pool', head === 'map' ? { kind: 'attentionPool', heads, hidden } : { kind: 'pool', pool: head }, normed);
  const features = representation === undefined ? pooled : push('representation', { kind: 'linear', units: representation, activation: 'tanh' }, pooled);
  push('fc', { kind: 'linear', units: classes, start: 'zeros' }, features);
  return { name: 'vit', inputShape, classes, seed, layers: builder.layers };
}

/** The feed-forward layer of a block, or a mixture of them where one with more than one expert belongs. */
function feedForwardPart(layer: number, { hidden, dropout = 0, moe }: VitOptions): LayerPart {
  if (moe?.layers.includes(layer) !== true) return { kind: 'feedForward', hidden, dropout };
  const router = typeof moe.router === 'function' ? moe.router(layer) : moe.router;
  if (router.numExperts === 1) return { kind: 'feedForward', hidden, dropout };
  return { kind: 'denseMoe', hidden, router, sharedStart: moe.sharedStart ?? true, sharedExperts: moe.sharedExperts ?? 0, dropout: moe.dropout ?? dropout };
}

function expectVitOptions(options: VitOptions): void {
  expectCommonOptions('vit', options, OWN);
  const { patch, width, depth, hidden, heads, head = 'token', position = 'learned', representation, dropout = 0, moe, inputShape } = options;
  for (const [name, value] of Object.entries({ patch, width, depth, hidden, heads, ...(representation !== undefined && { representation }) })) expectInteger('vit', name, value, 1);
  expectOneOf('vit', 'head', head, ['token', 'gap', 'map']);
  expectOneOf('vit', 'position', position, ['learned', 'sincos2d', 'none']);
  expectRate('vit', 'dropout', dropout);
  expectArgument('vit', 'heads', width % heads === 0, `divide the width ${width}`, heads);
  expectArgument('vit', 'patch', inputShape[0]! % patch === 0 && inputShape[1]! % patch === 0, `divide the image ${inputShape[0]} × ${inputShape[1]}`, patch);
  if (moe === undefined) return;
  expectKnownKeys('vit.moe', moe, ['layers', 'router', 'sharedStart', 'dropout', 'gateFrom', 'sharedExperts']);
  if (moe.dropout !== undefined) expectRate('vit', 'moe.dropout', moe.dropout);
  expectSharing('vit', moe);
  expectArgument('vit', 'moe.layers', moe.layers.length >= 1 && moe.layers.every((layer) => Number.isInteger(layer) && layer >= 0 && layer < depth), `be numbers of blocks from 0 to ${depth - 1}`, moe.layers);
}
