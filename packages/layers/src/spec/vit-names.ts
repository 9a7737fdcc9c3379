import { ArgumentError, expectArgument } from '@moe/core';
import type { VitOptions } from './vit-spec.js';

const SIZES = {
  S: { width: 512, depth: 8, hidden: 2048, heads: 8 },
  B: { width: 768, depth: 12, hidden: 3072, heads: 12 },
  'B+': { width: 832, depth: 15, hidden: 3328, heads: 13 },
  'B++': { width: 896, depth: 18, hidden: 3584, heads: 14 },
  'B+++': { width: 960, depth: 21, hidden: 3840, heads: 15 },
  L: { width: 1024, depth: 24, hidden: 4096, heads: 16 },
  H: { width: 1280, depth: 32, hidden: 5120, heads: 16 },
} as const;

/** What the name of a vision transformer says of it. */
export interface VitName extends Pick<VitOptions, 'width' | 'depth' | 'hidden' | 'heads' | 'patch'> {
  /** Experts, chosen experts and the numbers of the blocks that mix; only for a V-MoE. */
  readonly moe?: { readonly numExperts: number; readonly topK: number; readonly layers: readonly number[] };
}

/**
 * Reads a name such as `'ViT-B/32'` or `'ViT-S/32, E=8, K=2, Last 2'`.
 *
 * @remarks
 * Sizes S, B, B+, B++, B+++, L and H; S here has 8 layers of width 512. `Every n` are blocks n-1, 2n-1, …; `Last n` the last n of the odd blocks. A number of epochs at the end
 * (`, 300 Epochs`) is read over.
 *
 * @throws {@link ArgumentError} if the name does not follow the grammar.
 * @see {@link https://arxiv.org/abs/2106.05974 | Riquelme et al. 2021} and the configurations released with it.
 *
 * @example
 * const { moe, ...shape } = vitFromName('ViT-S/32, E=8, K=2, Last 2'); // moe.layers: [5, 7]
 */
export function vitFromName(name: string): VitName {
  const match = /^(?:V-MoE|ViT)-(S|B\+{0,3}|L|H)\/(\d+)(?:,\s*E=(\d+))?(?:,\s*K=(\d+))?(?:,\s*(Every|Last) (\d+))?(?:,\s*\d+ Epochs)?$/.exec(name);
  if (match === null) throw new ArgumentError(`vitFromName: name must look like 'ViT-B/32' or 'ViT-S/32, E=8, K=2, Last 2', got '${name}'. Sizes are ${Object.keys(SIZES).join(', ')}.`);
  const [, size, patch, experts, topK, rule, number] = match;
  const shape = { ...SIZES[size as keyof typeof SIZES], patch: Number(patch) };
  if (experts === undefined) {
    expectArgument('vitFromName', 'name', topK === undefined && rule === undefined, 'name E where it names K or a placement', name);
    return shape;
  }
  expectArgument('vitFromName', 'name', topK !== undefined && rule !== undefined && number !== undefined, 'name K and a placement where it names E', name);
  const blocks = Array.from({ length: shape.depth }, (_, layer) => layer);
  const n = Number(number);
  const layers = rule === 'Every' ? blocks.filter((layer) => (layer + 1) % n === 0) : blocks.filter((layer) => layer % 2 === 1).slice(-n);
  return { ...shape, moe: { numExperts: Number(experts), topK: Number(topK), layers } };
}
