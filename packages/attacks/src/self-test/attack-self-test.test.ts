import { floor, mul, zeros } from '@tensorflow/tfjs-core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { pgd } from '../pgd.js';
import { square } from '../square.js';
import { tinyDataset } from '../testing/datasets.js';
import { tinyNet } from '../testing/models.js';
import { attackSelfTest } from './attack-self-test.js';

const features = tinyNet(4, 16, 3, 32);
const task = { attack: pgd({ eps: 0.1, steps: 20 }), features, data: tinyDataset(new Array<number>(24).fill(0)), seed: 1 };

describe('attackSelfTest', () => {
  it('passes an attack that works on the features, which random points do less often', async () => {
    const { examples, passRate, randomPassRate, missed } = await expectTensorsKept(0, () => attackSelfTest(task));
    expect(examples).toBe(16);
    expect(passRate).toBeGreaterThanOrEqual(0.95);
    expect(randomPassRate).toBeLessThan(passRate! - 0.2);
    expect(missed.length).toBe(Math.round((1 - passRate!) * 16));
  });

  it('fails an attack that does nothing, and one that sees no gradient on features of steps', async () => {
    const idle = await attackSelfTest({ ...task, attack: pgd({ eps: 0.1, steps: 0, start: 'none' }) });
    expect(idle).toMatchObject({ passRate: 0, examples: 16 });
    expect(idle.missed).toHaveLength(16);
    const stepped = { ...task, features: (x: Parameters<typeof features>[0]) => features(mul(floor(mul(x, 12)), 1 / 12)) };
    const [blind, search] = [await attackSelfTest(stepped), await attackSelfTest({ ...stepped, attack: square({ eps: 0.1, queries: 500 }) })];
    expect(blind.passRate).toBeLessThan(0.5);
    expect(search.passRate).toBeGreaterThan(blind.passRate!);
  });

  it('plants nothing where features never change', async () => {
    expect(await attackSelfTest({ ...task, features: (x) => zeros([x.shape[0]!, 5]) })).toEqual({ examples: 0, passRate: null, randomPassRate: null, missed: [] });
  });

  it('depends on nothing but the seed', async () => {
    const first = await attackSelfTest(task);
    expect(await attackSelfTest(task)).toEqual(first);
  });

  it.each([
    [{ attack: { ...pgd({ eps: 0.1 }), options: {} } }, /attack.options.eps must be a positive number/],
    [{ attack: { ...pgd({ eps: 0.1 }), options: { eps: 0.1, norm: 'L7' } } }, /attack.options.norm must be one of/],
    [{ samples: 1 }, /samples must be an integer ≥ 2/],
    [{ feature: features }, /Did you mean 'features'/],
    [{ features: () => zeros([3, 5]) }, /features must have shape \[B,…\] with B = 1, got \[3,5\]/],
  ] as [object, RegExp][])('refuses %j', async (change, message) => {
    await expect(expectTensorsKept(0, () => attackSelfTest({ ...task, ...change }))).rejects.toThrow(message);
  });
});
