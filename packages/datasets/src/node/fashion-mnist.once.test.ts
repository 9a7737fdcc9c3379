import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseFashionMnist, take } from '@moe/datasets';
import { DEBIAN_FOLDER, makeFashionMnist } from '../../scripts/make-fashion-mnist.js';
import { assetPath } from '../asset-path.js';
import { describeDataset } from '../testing/describe-dataset.js';
import { fashionMnist } from './fashion-mnist.js';

const hasOriginal = existsSync(DEBIAN_FOLDER);

const loaded = { train: fashionMnist({ split: 'train' }), test: fashionMnist({ split: 'test' }) };

describeDataset('fashionMnist test', () => loaded.test);
describeDataset('take of fashionMnist train', async () => take(await loaded.train, 300));

describe('fashionMnist', () => {
  it.each([
    ['train', 12_000],
    ['test', 2_000],
  ] as const)('holds %s images, balanced in every block of ten', async (split, length) => {
    const { labels, length: actual } = await loaded[split];
    expect(actual).toBe(length);
    for (let start = 0; start < length; start += 10) expect(new Set(labels.subarray(start, start + 10)).size).toBe(10);
  });

  it('names the file when it is not the published one', async () => {
    const bytes = new Uint8Array(await readFile(assetPath('fashion-mnist', 'test.npz')));
    bytes[5000]! ^= 1;
    const damaged = parseFashionMnist(bytes, { split: 'test', file: 'my.npz' });
    await expect(damaged).rejects.toMatchObject({ code: 'DATA_FORMAT', message: expect.stringMatching(/^parseFashionMnist: my\.npz must have SHA-256 1d13.*Install/) });
  });

  it('names the missing file of another root, the misspelt option and the wrong split', async () => {
    await expect(fashionMnist({ split: 'test', root: '/nowhere' })).rejects.toThrow(/\/nowhere\/t10k-images-idx3-ubyte\.gz must exist/);
    await expect(fashionMnist({ split: 'test', rot: '/nowhere' } as never)).rejects.toThrow("unknown option 'rot'");
    await expect(fashionMnist({ split: 'val' } as never)).rejects.toThrow("split must be one of 'train', 'test'");
  });

  it.skipIf(!hasOriginal)('is what the script draws from the original files, bit for bit', async () => {
    for (const part of ['train', 'test'] as const) {
      expect(Buffer.compare(await makeFashionMnist(DEBIAN_FOLDER, part), await readFile(assetPath('fashion-mnist', `${part}.npz`)))).toBe(0);
    }
  });

  it.skipIf(!hasOriginal)('reads the whole from a folder, of which the subset is part', async () => {
    const whole = await fashionMnist({ split: 'test', root: DEBIAN_FOLDER });
    expect(whole.length).toBe(10_000);
    const counts = new Array<number>(10).fill(0);
    whole.labels.forEach((label) => counts[label]!++);
    expect(counts).toEqual(new Array(10).fill(1000));
  });
});
