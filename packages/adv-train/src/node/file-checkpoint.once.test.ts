import '@tensorflow/tfjs-backend-cpu';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeTensors } from '../checkpoint/tensor-file.js';
import { moeMlp } from '../testing/models.js';
import { tinyRun } from '../testing/tiny-run.js';
import { fileCheckpoint } from './file-checkpoint.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moe-checkpoint-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('fileCheckpoint', () => {
  it('reads nothing where nothing is, and what was written, leaving one file', async () => {
    const path = join(folder, 'new', 'state');
    const store = fileCheckpoint(path);
    expect(await store.read()).toBeUndefined();
    await store.write(Uint8Array.of(1));
    await store.write(Uint8Array.of(2, 3));
    expect(Array.from((await store.read())!)).toEqual([2, 3]);
    expect(await readdir(join(folder, 'new'))).toEqual(['state']);
  });

  it('names the file that cannot be written or read', async () => {
    await writeFile(join(folder, 'file'), 'x');
    const below = fileCheckpoint(join(folder, 'file', 'state'));
    await expect(below.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'CHECKPOINT' });
    await expect(below.write(Uint8Array.of(1))).rejects.toThrow('must be writable, got: ');
    expect(() => fileCheckpoint('x', { maxBytes: 0.5 })).toThrow('fileCheckpoint: maxBytes must be an integer ≥ 1, got 0.5.');
  });

  it('refuses what is too large before reading it', async () => {
    const path = join(folder, 'large');
    await writeFile(path, '');
    await truncate(path, 2 ** 32);
    await expect(fileCheckpoint(path).read()).rejects.toMatchObject({ code: 'CHECKPOINT' });
    await expect(fileCheckpoint(path, { maxBytes: 1000 }).read()).rejects.toThrow('at most 1000 bytes, got 4294967296');
  });

  it('holds a tensor file that other tools can read', async () => {
    const [path, target] = [join(folder, 'run'), moeMlp(1)];
    await tinyRun(target, { epochs: 1, checkpoint: fileCheckpoint(path) });
    target.dispose();
    const { tensors } = decodeTensors(await readFile(path));
    expect(tensors.map(({ name }) => name)).toContain('optimizer/momentum/moe/router');
  });
});
