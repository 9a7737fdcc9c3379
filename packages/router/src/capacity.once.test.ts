import { topKIndices } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { capacityOf, dropOverCapacity, resolveCapacity } from './capacity.js';
import { V_MOE_LOGITS } from './internal/testing-fixtures.js';

describe('capacityOf', () => {
  it.each([
    [64, 32, { factor: 1, multipleOf: 4 }, 4],
    [800, 32, { factor: 1.05, multipleOf: 4 }, 28],
    [784, 8, { factor: 1.05, multipleOf: 4 }, 104],
    [4616, 8, { factor: 1.5, multipleOf: 4 }, 868],
    [17, 5, { factor: 1, multipleOf: 4 }, 4],
    [17, 5, { factor: 1, round: 'nearest' }, 3],
    [196, 128, { factor: 1, round: 'nearest' }, 2],
  ] as const)('of %i rows and %i experts with %j is %i, as in V-MoE', (rows, experts, options, expected) => {
    expect(capacityOf(rows, experts, options)).toBe(expected);
  });
});

describe('dropOverCapacity', () => {
  const gates = V_MOE_LOGITS.flatMap((row) => {
    const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
    return row.map((value) => Math.exp(value) / total);
  });
  const experts = (choices: Int32Array): number[][] => V_MOE_LOGITS.map((_, token) => Array.from(choices.slice(2 * token, 2 * token + 2)).filter((expert) => expert >= 0));

  it('serves first choices first, in order or by weight, as in V-MoE', () => {
    const choices = topKIndices(gates, 4, 2);
    expect(Array.from(choices)).toEqual([2, 3, 0, 1, 3, 0, 3, 2, 2, 1, 0, 1]);
    expect(experts(dropOverCapacity(choices, 2, gates, 4, { capacity: 2, priority: 'position' }))).toEqual([[2], [0, 1], [3], [3], [2, 1], [0]]);
    expect(experts(dropOverCapacity(choices, 2, gates, 4, { capacity: 2, priority: 'weight' }))).toEqual([[2], [0, 1], [3], [3], [2], [0, 1]]);
  });

  it('leaves choices within capacity alone', () => {
    const choices = Int32Array.of(0, -1, 1, 0);
    expect(dropOverCapacity(choices, 2, [1, 0, 0, 1], 2, { capacity: 2, priority: 'weight' })).toEqual(choices);
  });
});

describe('resolveCapacity', () => {
  it('names what is wrong', () => {
    expect(() => resolveCapacity('switchRouter', { factor: 0 })).toThrow('switchRouter: capacity.factor must be');
    expect(() => resolveCapacity('switchRouter', { factor: 1, order: 'x' } as never)).toThrow("switchRouter.capacity: unknown option 'order'");
  });
});
