import { createRng } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { pgd } from '../pgd.js';
import { type SquareOptions, square } from '../square.js';
import { predictions, tinyNet } from '../testing/models.js';
import { type BlackBoxModel, type BlackBoxOptions, attackBlackBox } from './attack-black-box.js';

const net = tinyNet(12, 3, 5);
const SHAPE = [7, 2, 2, 3] as const;
const inputs = createRng(4).uniform(7 * 12);
const labels = (): Int32Array => tidy(() => predictions(net, tensor(inputs.slice(), [...SHAPE]))).map((label, i) => (i === 2 ? (label + 1) % 3 : label));

/** The network behind an interface of arrays; notes how many images each call had. */
function remote(): { model: BlackBoxModel; calls: number[] } {
  const calls: number[] = [];
  const model: BlackBoxModel = async (images, shape) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    calls.push(shape[0]!);
    return tidy(() => net(tensor(images, [...shape]))).dataSync() as Float32Array;
  };
  return { model, calls };
}

const options = (): BlackBoxOptions => ({ inputs, shape: SHAPE, labels: labels(), rng: createRng(3), exampleIds: [4, 1, 9, 2, 6, 5, 0] });

describe('attackBlackBox', () => {
  it.each(['Linf', 'L2'] satisfies SquareOptions['norm'][])('gives the very result of perturb with square %s, and counts what it asked', async (norm) => {
    const attack = square({ eps: norm === 'Linf' ? 0.08 : 0.2, norm, queries: 20, restarts: 2 });
    const { rng, exampleIds } = options();
    const expected = tidy(() => {
      const { adversarial, success, loss } = attack.perturb(net, tensor(inputs.slice(), [...SHAPE]), tensor1d(labels(), 'int32'), { rng, exampleIds: exampleIds! });
      return [adversarial, success, loss].map((values) => Array.from(values.dataSync()));
    });
    const { model, calls } = remote();
    const { adversarial, success, loss, queries } = await attackBlackBox(attack, model, { ...options(), batchSize: 3 });
    expect([adversarial, success, loss].map((values) => Array.from(values))).toEqual(expected);
    expect(success).toContain(0);
    expect(Math.max(...calls)).toBe(3);
    expect(queries.reduce((a, b) => a + b)).toBe(calls.reduce((a, b) => a + b));
    // The row that is wrong from the start is asked about once, one that stands as often as the budget allows.
    expect(queries[2]).toBe(1);
    success.forEach((fooled, row) => (fooled === 0 ? expect(queries[row]).toBe(1 + 2 * 20) : expect(queries[row]).toBeLessThanOrEqual(1 + 2 * 20)));
  });

  it('refuses attacks that need gradients, by type and when run', async () => {
    // @ts-expect-error: pgd needs the gradient, which a black box does not have.
    await expect(attackBlackBox(pgd({ eps: 0.1 }), remote().model, options())).rejects.toThrow("attackBlackBox: attack must need no gradients, got 'pgd'. Use a score- or decision-based one, such as square.");
  });

  it('refuses arrays that do not fit, and answers that are not logits', async () => {
    const attack = square({ eps: 0.1, queries: 2 });
    const failing = (change: Partial<BlackBoxOptions>, model: BlackBoxModel = remote().model) => expect(attackBlackBox(attack, model, { ...options(), ...change })).rejects;
    await failing({ shape: [7, 4, 3, 2] }).toThrow(/inputs must have as many entries as shape \[7, 4, 3, 2\], got 84/);
    await failing({ labels: new Int32Array(3) }).toThrow(/labels must have 7 entries/);
    await failing({ batchSize: 0 }).toThrow(/batchSize must be an integer ≥ 1/);
    await failing({ inputs: inputs.map((value) => 255 * value) }).toThrow(/inputs must lie in bounds/);
    // Seven numbers for seven images are classes; Square needs scores.
    await failing({}, async (_, [count = 0]) => new Float32Array(count)).toThrow(/square: the model's answer must have \[7, M\] entries, M ≥ 2, got 7/);
    await failing({}, async (_, [count = 0]) => new Float32Array(3 * count).fill(Number.NaN)).toThrow(/logits must be finite/);
  });

  it('stops before the next call when the signal fires', async () => {
    const stop = new AbortController();
    const { model, calls } = remote();
    const stopping: BlackBoxModel = (images, shape) => (stop.abort(), model(images, shape));
    await expect(attackBlackBox(square({ eps: 0.1 }), stopping, { ...options(), signal: stop.signal, batchSize: 2 })).rejects.toThrow(expect.objectContaining({ code: 'ABORTED' }));
    expect(calls.length).toBe(1);
  });

  it('holds no tensor', async () => {
    const model: BlackBoxModel = async (images, [count = 0]) => Float32Array.from({ length: 3 * count }, (_, i) => images[i * 4]!);
    const run = expectTensorsKept(0, () => attackBlackBox(square({ eps: 0.1, queries: 3 }), model, { ...options(), labels: new Int32Array(7) }));
    expect((await run).queries.length).toBe(7);
  });
});
