import { expectTensorsKept } from '@moe/testing';
import { tensor2d } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { constantExpert, toyMoe } from '../testing/moe-models.js';
import { overloadExperts } from './overload-experts.js';

// r = (x₀, x₁): the larger coordinate's expert, each of which runs two of four rows.
const model = toyMoe({ router: [[1, 0], [0, 1]], bias: [0, 0], experts: [constantExpert([1, 0]), constantExpert([0, 1])], capacity: 2 });

describe('overloadExperts', () => {
  it('crowds the expert that can be made to drop most', () => {
    // A change of 0.06 moves a lead by 0.12: the first two rows, which lead by 0.1 towards the first expert, can all go to the second; of the last two only the fourth can go the other way.
    const x = tensor2d([[0.6, 0.5], [0.5, 0.4], [0.2, 0.5], [0.45, 0.5]]);
    const { adversarial, expert, before, after } = expectTensorsKept(1, () => overloadExperts(model, x, { eps: 0.06 }));
    expect(before).toEqual({ largestShare: 0.5, droppedFraction: 0 });
    // All four choose the second expert: it runs two and drops two.
    expect(expert).toBe(1);
    expect(after).toEqual({ largestShare: 1, droppedFraction: 0.5 });
    const moved = adversarial.dataSync().map((value, i) => Math.abs(value - x.dataSync()[i]!));
    expect(Math.max(...moved)).toBeLessThanOrEqual(0.06 + 1e-6);
    adversarial.dispose();
    x.dispose();
  });

  it('leaves rows that are there already, and changes nothing where none comes', () => {
    const x = tensor2d([[0.9, 0.1], [0.1, 0.9]]);
    const { adversarial, after } = overloadExperts(model, x, { eps: 0.001, norm: 'L2' });
    expect(after).toEqual({ largestShare: 0.5, droppedFraction: 0 });
    adversarial.dispose();
    x.dispose();
  });

  it('refuses layers that do not choose', () => {
    const x = tensor2d([[0.6, 0.5]]);
    expectTensorsKept(0, () => expect(() => overloadExperts(model, x, { eps: 0.1, layer: 'nowhere' })).toThrow("overloadExperts: layer must be a layer that chooses (moe), got 'nowhere'."));
    x.dispose();
  });
});
