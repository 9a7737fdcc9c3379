import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMoeError } from '@moe/core';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeDataset } from '../testing/describe-dataset.js';
import { imageFolder } from './image-folder.js';
import { sharpDecoder } from './sharp-decoder.js';

let root: string;
const decode = sharpDecoder(sharp);
const image = (color: string, width = 4, height = 3): ReturnType<typeof sharp> => sharp({ create: { width, height, channels: 3, background: color } });
const save = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), bytes);
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'moe-images-'));
  await save('Zebra/b.png', await image('rgb(255, 0, 51)').png().toBuffer());
  await save('Zebra/a.PNG', await image('rgb(0, 102, 0)').png().toBuffer());
  await save('ant/1.jpeg', await image('white').jpeg().toBuffer());
  await save('ant/10.jpg', await image('black').jpeg().toBuffer());
  await save('ant/2.jpg', await image('white').jpeg().toBuffer());
  await save('ant/notes.txt', 'not an image');
  await save('.cache/x.png', 'hidden');
  await save('ant/.hidden.png', 'hidden');
  await save('README.md', 'a file beside the classes');
});
afterEach(() => rm(root, { recursive: true }));

describeDataset('imageFolder', () => imageFolder(root, { decode, split: 'train' }));

describe('imageFolder', () => {
  it('takes folders as classes and files as examples, both sorted by code units', async () => {
    const dataset = await imageFolder(root, { decode });
    expect(dataset.classNames).toEqual(['Zebra', 'ant']);
    expect(Array.from(dataset.labels)).toEqual([0, 0, 1, 1, 1]);
    expect(dataset.inputShape).toEqual([3, 4, 3]);
    const { inputs } = await dataset.read([1, 0, 3]);
    const first = (row: number): number[] => Array.from(inputs.subarray(row * 36, row * 36 + 3), (value) => Math.round(value * 255));
    expect([first(0), first(1), first(2)]).toEqual([[255, 0, 51], [0, 102, 0], [0, 0, 0]]);
  });

  it('decodes on demand', async () => {
    let count = 0;
    const counting: typeof decode = (bytes, size) => {
      count++;
      return decode(bytes, size);
    };
    const dataset = await imageFolder(root, { decode: counting });
    expect(count).toBe(1);
    await dataset.read([2, 3]);
    expect(count).toBe(3);
  });

  it('scales to a size, in grey if asked', async () => {
    await save('ant/3.png', await image('white', 9, 30).png().toBuffer());
    const dataset = await imageFolder(root, { decode: sharpDecoder(sharp, { channels: 1 }), size: [2, 5] });
    expect(dataset.inputShape).toEqual([2, 5, 1]);
    expect((await dataset.read([0, 1, 2, 3, 4, 5])).shape).toEqual([6, 2, 5, 1]);
  });

  it('refuses an image of another shape when it is read, and says what helps', async () => {
    await save('ant/3.png', await image('white', 9, 30).png().toBuffer());
    const dataset = await imageFolder(root, { decode });
    await expect(dataset.read([5])).rejects.toMatchObject({
      code: 'DATA_FORMAT',
      message: expect.stringMatching(/^imageFolder: .*3\.png must have shape \[3,4,3\] as the first image, got \[30,9,3\]\. Pass size/),
    });
  });

  const refuses = (message: RegExp, options = {}): Promise<void> =>
    expect(imageFolder(root, { decode, ...options }).then((dataset) => dataset.read(Array.from(dataset.labels.keys())))).rejects.toMatchObject({
      code: 'DATA_FORMAT',
      message: expect.stringMatching(message),
    });

  it('refuses what is no image', async () => {
    await save('ant/3.png', 'GIF89a nonsense');
    await refuses(/3\.png must be an image that the decoder reads, got '.*'\. Remove or replace the file\./);
  });

  it('refuses an empty class, a folder without classes, no folder, and a file', async () => {
    await mkdir(join(root, 'bee'));
    await refuses(/bee must hold \.jpg, \.jpeg or \.png files, one class per folder, got none\./);
    await expect(imageFolder(join(root, 'bee'), { decode })).rejects.toThrow('must hold one folder per class, got none. Pass the folder above');
    await expect(imageFolder(join(root, 'nowhere'), { decode })).rejects.toThrow('nowhere must exist');
    await expect(imageFolder(join(root, 'README.md'), { decode })).rejects.toThrow('README.md must be a readable folder');
  });

  it('refuses files that are too large, and images with too many pixels', async () => {
    await refuses(/a\.PNG must have at most 20 bytes, got \d+/, { maxFileBytes: 20 });
    await refuses(/a\.PNG must be an image that the decoder reads, got '.*pixel limit/, { decode: sharpDecoder(sharp, { maxPixels: 11 }) });
  });

  it('follows links inside the folder and refuses those that leave it', async () => {
    await symlink(join(root, 'Zebra', 'b.png'), join(root, 'ant', 'z.png'));
    expect((await imageFolder(root, { decode })).length).toBe(6);
    const outside = await mkdtemp(join(tmpdir(), 'moe-outside-'));
    try {
      await writeFile(join(outside, 'secret.png'), await image('white').png().toBuffer());
      await symlink(outside, join(root, 'cat'));
      await refuses(/cat must link to a place inside .*, got .*moe-outside-/);
      await rm(join(root, 'cat'));
      await symlink(join(outside, 'secret.png'), join(root, 'ant', 'y.png'));
      await refuses(/y\.png must link to a place inside/);
      await rm(join(root, 'ant', 'y.png'));
      await symlink(join(root, 'gone.png'), join(root, 'ant', 'x.png'));
      await refuses(/x\.png must link to a place inside .*, got a missing file/);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  it('refuses a decoder that breaks its contract, and bad options', async () => {
    await refuses(/must decode to 2 x 2 x 3 bytes, got 5/, { decode: async () => ({ data: new Uint8Array(5), height: 2, width: 2, channels: 3 }) });
    await expect(imageFolder(root, {} as never)).rejects.toThrow('decode must be a function');
    await expect(imageFolder(root, { decode, size: [0, 2] })).rejects.toThrow('size[0] must be an integer ≥ 1');
    await expect(imageFolder(root, { decode, sizes: [2, 2] } as never)).rejects.toThrow("Did you mean 'size'?");
    expect(() => sharpDecoder(sharp, { channels: 4 as never })).toThrow('channels must be one of 1, 3');
  });

  it('throws nothing but DataFormatError for damaged images', async () => {
    for (const good of [await image('rgb(9, 99, 199)').png().toBuffer(), await image('rgb(9, 99, 199)').jpeg().toBuffer()]) {
      const change = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }));
      const damage = fc.oneof(
        fc.nat(good.length - 1).map((length) => new Uint8Array(good.subarray(0, length))),
        fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
          const bytes = new Uint8Array(good);
          for (const [at, mask] of changes) bytes[at]! ^= mask;
          return bytes;
        }),
      );
      await fc.assert(
        fc.asyncProperty(damage, async (bytes) => {
          await save('ant/3.png', bytes);
          await imageFolder(root, { decode })
            .then((dataset) => dataset.read([5]))
            .catch((error: unknown) => {
              if (!isMoeError(error, 'DATA_FORMAT')) throw error;
            });
        }),
        { numRuns: 100, seed: 1 },
      );
    }
  });
});
