import { expectTensorsKept } from '@moe/testing';
import { type Tensor, type Tensor4D, concat, dispose, memory, moments, reshape, slice, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resnet } from '../resnet.js';
import { moeModel } from './moe-model.js';
import { reestimateBatchNorm } from './reestimate-batch-norm.js';
import { E, TINY, build, images, logitsOf, sendAllTo, valuesOf } from './testing-fixtures.js';

let x: Tensor4D;
let parts: Tensor[];
beforeAll(() => {
  x = images(8);
  parts = tidy(() => [slice(x, [0, 0, 0, 0], [3, -1, -1, -1]), slice(x, [3, 0, 0, 0], [5, -1, -1, -1])]);
});
afterAll(() => void dispose([x, parts]));

const statistics = (network: LayersModel, name: string): number[] => valuesOf(network, new RegExp(`^${name}/moving`));

describe('reestimateBatchNorm', () => {
  it.each([
    ['pytorch', true],
    ['keras', false],
  ] as const)('gives the first batch norm the statistics of all images together (%s)', async (batchNorm, unbiased) => {
    const network = resnet({ ...TINY, batchNorm });
    const before = memory().numTensors;
    const report = await reestimateBatchNorm(network, parts, { minRows: 8 });
    expect(memory().numTensors, 'tensors kept').toBe(before);
    expect(report[0]).toEqual({ name: 'bn1', rows: 8, updated: true });
    expect(report.every(({ updated }) => updated)).toBe(true);
    const expected = tidy(() => {
      const { mean, variance } = moments(network.getLayer('conv1').apply(concat(parts)) as Tensor, [0, 1, 2]);
      const n = 8 * 36;
      return [...mean.dataSync(), ...variance.dataSync().map((value) => (unbiased ? (value * n) / (n - 1) : value))];
    });
    expect(statistics(network, 'bn1')).toBeAllClose(expected, { rtol: 1e-4, atol: 1e-6 });
    network.dispose();
  });

  it('of one batch makes evaluation equal to a pass with batch statistics, experts included', async () => {
    const network = build({ batchNorm: 'keras', topK: 2 });
    const withBatchStatistics = logitsOf(moeModel(network), x, { training: true, updateStatistics: false });
    expect(logitsOf(moeModel(network), x)).not.toBeAllClose(withBatchStatistics, { rtol: 1e-2 });
    const report = await reestimateBatchNorm(network, [x], { minRows: 1 });
    expect(report.filter(({ name }) => name.endsWith('expert0/bn1')).length).toBe(1);
    expect(logitsOf(moeModel(network), x)).toBeAllClose(withBatchStatistics, { rtol: 1e-3, atol: 1e-4 });
    network.dispose();
  });

  it('keeps and reports the statistics of experts with too few rows', async () => {
    const network = build();
    sendAllTo(network, 'layer4.0', 1);
    const before = valuesOf(network, /expert[02]\/.*moving/);
    const report = await reestimateBatchNorm(network, parts, { minRows: 8 });
    const experts = report.filter(({ name }) => name.startsWith('layer4.0/expert'));
    expect(experts.length).toBe(3 * E);
    for (const { name, rows, updated } of experts) expect([rows, updated], name).toEqual(name.includes('expert1') ? [8, true] : [0, false]);
    expect(valuesOf(network, /expert[02]\/.*moving/)).toEqual(before);
    expect((await reestimateBatchNorm(network, parts, { minRows: 9 })).some(({ updated }) => updated)).toBe(false);
    network.dispose();
  });

  it('takes batches as they come, and changes nothing when one is wrong', async () => {
    const network = build();
    const start = valuesOf(network, /moving/);
    async function* arriving(): AsyncGenerator<Tensor> {
      for (const part of parts) yield await Promise.resolve(part);
    }
    const flat = reshape(parts[1]!, [5, 72]);
    const before = memory().numTensors;
    await expect(reestimateBatchNorm(network, [parts[0]!, flat])).rejects.toThrow('reestimateBatchNorm: images must have shape [B,6,6,2]');
    await expect(reestimateBatchNorm(network, [])).rejects.toThrow('reestimateBatchNorm: batches must hold at least one batch');
    await expect(reestimateBatchNorm(network, parts, { minRows: 0 })).rejects.toThrow('minRows');
    expect(valuesOf(network, /moving/)).toEqual(start);
    await reestimateBatchNorm(network, arriving(), { minRows: 1 });
    expect(valuesOf(network, /moving/)).not.toEqual(start);
    expect(memory().numTensors, 'tensors kept').toBe(before);
    network.dispose();
    flat.dispose();
  });

  it('leaves evaluation as it was afterwards', async () => {
    const network = build();
    await reestimateBatchNorm(network, parts, { minRows: 1 });
    const after = valuesOf(network, /moving/);
    expectTensorsKept(0, () => void logitsOf(moeModel(network), x));
    expect(valuesOf(network, /moving/)).toEqual(after);
    network.dispose();
  });
});
