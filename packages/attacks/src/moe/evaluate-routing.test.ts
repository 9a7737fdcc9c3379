import { memory } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { pgd } from '../pgd.js';
import { tinyDataset } from '../testing/datasets.js';
import { linearModel } from '../testing/models.js';
import { constantExpert, toyMoe } from '../testing/moe-models.js';
import { evaluateRouting } from './evaluate-routing.js';
import { overlapOf } from './overlap.js';

// r = (x₀ - x₁ + x₂ - x₃, 0), flipped at a quarter of its lead in L-inf. Expert 0 is always right, expert 1 always wrong.
const model = toyMoe({ router: [[1, 0], [-1, 0], [1, 0], [-1, 0]], bias: [0, 0], experts: [constantExpert([2, 0, -1]), constantExpert([0, 2, -1])] });
const leads = [0.08, 0.16, 0.32, 0.4];
const data = tinyDataset([0, 0, 0, 0], Float32Array.from(leads.flatMap((lead) => [0.5 + lead / 4, 0.5 - lead / 4, 0.5 + lead / 4, 0.5 - lead / 4])));
const blind = pgd({ eps: 0.06, steps: 5, start: 'none' });

describe('evaluateRouting', () => {
  it('tells what routing hides from an attack without knowledge of it', async () => {
    const before = memory().numTensors;
    const result = await evaluateRouting({ model, data, eps: 0.06, seed: 1, standard: blind, expertAttack: blind, batchSize: 3 });
    expect(memory().numTensors).toBe(before);
    // Flips at 0.02, 0.04, 0.08 and 0.1: two of four within eps.
    expect([result.clean.accuracy, result.standard.robustAccuracy, result.adaptive.robustAccuracy, result.worstCase.robustAccuracy, result.maskingGap]).toEqual([1, 1, 0.5, 0.5, 0.5]);
    const [layer] = result.layers;
    expect(layer).toMatchObject({ layer: 'moe', stable: { examples: 2, share: 0.5 }, flipRate: 0, expertIou: 1 });
    expect(layer!.medianFlipDistance).toBeCloseTo(0.08, 4);
    expect(layer!.experts.map(({ chosen, reachable, alone }) => [chosen, reachable, alone.robustAccuracy])).toEqual([[1, 1, 1], [0, 0.5, 0]]);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('refuses plain functions and unknown options', async () => {
    await expect(evaluateRouting({ model: linearModel([[1, 0], [0, 1], [0, 0], [0, 0]], [0, 0]), data, eps: 0.1, seed: 1 })).rejects.toThrow('evaluateRouting: model must bring its MoE model');
    await expect(evaluateRouting({ model, data, eps: 0.1, seed: 1, attack: blind } as never)).rejects.toThrow("evaluateRouting: unknown option 'attack'");
    await expect(evaluateRouting({ model, data, eps: 0.1, seed: 1, draws: 0 })).rejects.toThrow('draws must be an integer ≥ 1');
  });
});

describe('overlapOf', () => {
  const weights = (sets: number[][]): Float32Array => Float32Array.from(sets.flatMap((set) => [0, 1, 2, 3].map((expert) => Number(set.includes(expert)) / 2)));

  it("has V-MoE's golden values, tokens without experts left out", () => {
    const first = overlapOf(weights([[0, 1], [1, 2], [3, 0]]), weights([[0, 1], [0, 2], [1, 2]]), 4);
    expect(first.overlap).toBeCloseTo((1 + 1 / 3 + 0) / 3, 6);
    expect(first.same).toBe(false);
    expect(overlapOf(weights([[0, 1], [2, 3], []]), weights([[0], [2, 3], []]), 4)).toEqual({ overlap: 0.75, same: false });
    expect(overlapOf(weights([[]]), weights([[]]), 4)).toEqual({ overlap: undefined, same: true });
  });
});
