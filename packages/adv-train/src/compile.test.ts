import { Tensor } from '@tensorflow/tfjs-core';
import type { Compile } from '@moe/core';
import { expectTensorsKept } from '@moe/testing';
import { describe, expect, it } from 'vitest';
import { adam } from './optimizers/adam.js';
import { sgd } from './optimizers/sgd.js';
import { cosine } from './schedules/cosine.js';
import { mlp, moeMlp } from './testing/models.js';
import { tinyRun } from './testing/tiny-run.js';
import type { TrainOptions } from './train-options.js';

/** Only tensors, in arrays and plain objects. */
const areTensors = (value: unknown): boolean => value instanceof Tensor || (typeof value === 'object' && value !== null && Object.values(value).every(areTensors));

/** Notes every call of what is compiled, by the number of the function. */
function recording() {
  const calls: number[] = [];
  const compile: Compile = (fn) => {
    const index = calls.push(0) - 1;
    return ((...args: never[]) => {
      calls[index]!++;
      const result = fn(...args);
      if (!areTensors(args) || !areTensors(result)) throw new Error('something is no tensor');
      return result;
    }) as typeof fn;
  };
  return { calls, compile };
}

async function weightsAfter(changes: Partial<TrainOptions>): Promise<Record<string, number[]>> {
  const target = mlp(1, 4, 8, 2);
  try {
    await tinyRun(target, { schedule: cosine({ base: 0.1, per: 'step' }), ...changes });
    return target.values();
  } finally {
    target.dispose();
  }
}

describe('train with compile', () => {
  it.each([
    ['sgd', sgd({ momentum: 0.9 })],
    ['adam', adam()],
  ] as const)('gives with %s the weights that it gives without, through one function of tensors', async (_, optimizer) => {
    const { calls, compile } = recording();
    expect(await weightsAfter({ optimizer, compile })).toEqual(await weightsAfter({ optimizer }));
    expect(calls).toEqual([6]);
  });

  it('hands the learning rate over as a tensor', async () => {
    const seen: string[] = [];
    const compile: Compile = (fn) =>
      ((...args: [{ update: { rates: Record<string, Tensor[]>[] } }]) => {
        const rates = args[0].update.rates.flatMap((ofUpdate) => Object.values(ofUpdate)).map((tensors) => tensors.map((rate) => rate.dataSync()[0]!.toPrecision(6)).join());
        seen.push([...new Set(rates)].join(' '));
        return fn(...(args as unknown as never[]));
      }) as unknown as typeof fn;
    await weightsAfter({ compile });
    // Half a cosine over two epochs of three steps.
    expect(seen).toEqual([0, 1, 2, 3, 4, 5].map((step) => Math.fround(0.05 * (1 + Math.cos((Math.PI * step) / 6))).toPrecision(6)));
  });

  it('keeps no tensor, also when it fails', async () => {
    const { compile } = recording();
    await expectTensorsKept(0, () => weightsAfter({ compile }));
    await expectTensorsKept(0, async () => {
      const target = moeMlp(6);
      try {
        await expect(tinyRun(target, { compile: (fn) => fn })).rejects.toThrow('train: compile must be left out for a model with routed layers, got 1 of them.');
      } finally {
        target.dispose();
      }
    });
  });

  it('refuses what is no function', () => expect(weightsAfter({ compile: 'jit' as unknown as Compile })).rejects.toThrow(/compile must be a function, got 'jit'\. Pass jit/));
});
