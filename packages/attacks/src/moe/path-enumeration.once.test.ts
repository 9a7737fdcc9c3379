import type { MoeLayerInfo } from '@moe/core';
import { expect, it } from 'vitest';
import { pathsOf } from './path-enumeration.js';

const layer = (numExperts: number, topK: number): MoeLayerInfo => ({ name: `${numExperts}`, numExperts, topK, batchInvariant: true, continuous: false });

it('lists one set of experts for each layer in all combinations, or none where there are too many', () => {
  const pairs = [[0, 1], [0, 2], [1, 2]];
  expect(pathsOf([layer(3, 2), layer(2, 1)], 64)).toEqual(pairs.flatMap((pair) => [[pair, [0]], [pair, [1]]]));
  expect(pathsOf([layer(8, 2)], 28)).toHaveLength(28);
  expect(pathsOf([layer(8, 2)], 27)).toEqual([]);
  expect(pathsOf([], 64)).toEqual([]);
});
