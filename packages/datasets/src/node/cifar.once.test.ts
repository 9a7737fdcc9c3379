import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeDataset } from '../testing/describe-dataset.js';
import { cifar10, cifar100 } from './cifar.js';

let root: string;
const planes = (seed: number): Uint8Array => new Uint8Array(3072).map((_, i) => (i * 31 + seed) % 256);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'moe-cifar-'));
  for (const part of [1, 2, 3, 4, 5]) await writeFile(join(root, `data_batch_${part}.bin`), Uint8Array.of(part, ...planes(part), part, ...planes(9)));
  await writeFile(join(root, 'test_batch.bin'), Uint8Array.of(7, ...planes(0)));
  await writeFile(join(root, 'train.bin'), Uint8Array.of(3, 42, ...planes(0), 4, 43, ...planes(1)));
});
afterAll(() => rm(root, { recursive: true }));

describeDataset('cifar10', () => cifar10({ split: 'train', root }));
describeDataset('cifar100', () => cifar100({ split: 'train', root }));

describe('cifar10', () => {
  it('joins the five training files in order', async () => {
    const train = await cifar10({ split: 'train', root });
    expect(Array.from(train.labels)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect((await train.read([6])).inputs[1]).toBeCloseTo(planes(4)[1024]! / 255, 6);
    expect((await cifar10({ split: 'test', root })).length).toBe(1);
  });

  it('names a missing or damaged file', async () => {
    await expect(cifar10({ split: 'test', root: '/nowhere' })).rejects.toThrow('cifar10: /nowhere/test_batch.bin must exist, got no such file. Unpack the binary version there');
    await writeFile(join(root, 'test_batch.bin'), new Uint8Array(3072));
    await expect(cifar10({ split: 'test', root })).rejects.toMatchObject({ code: 'DATA_FORMAT', message: expect.stringContaining('test_batch.bin must have a multiple of 3073 bytes') });
  });
});

describe('cifar100', () => {
  it('has fine or coarse labels with their names', async () => {
    const fine = await cifar100({ split: 'train', root });
    expect([Array.from(fine.labels), fine.classNames.length]).toEqual([[42, 43], 100]);
    const coarse = await cifar100({ split: 'train', root, labels: 'coarse' });
    expect([Array.from(coarse.labels), coarse.classNames.length]).toEqual([[3, 4], 20]);
    await expect(cifar100({ split: 'train', root, labels: 'medium' as never })).rejects.toThrow("labels must be one of 'fine', 'coarse'");
  });
});
