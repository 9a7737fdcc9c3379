import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileState } from './file-state.js';

describe('fileState', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attacks-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('reads back what it wrote last, and leaves no other file', async () => {
    const state = fileState(join(folder, 'deep', 'state.json'));
    expect(await state.read()).toBeUndefined();
    await state.write('first');
    await state.write('zweite: ä');
    expect(await state.read()).toBe('zweite: ä');
    expect(await readdir(join(folder, 'deep'))).toEqual(['state.json']);
  });

  it('refuses a file that is far too large before reading it, and a folder', async () => {
    const path = join(folder, 'state.json');
    await writeFile(path, '');
    await truncate(path, 2 ** 28 + 1);
    await expect(fileState(path).read()).rejects.toThrow(/must have at most 268435456 bytes/);
    await expect(fileState(folder).read()).rejects.toMatchObject({ code: 'CHECKPOINT', message: expect.stringMatching(/must be a regular file. Remove it/) });
  });

  it('passes on that the file cannot be written, and keeps the old content', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(fileState(join(folder, 'file', 'state.json')).write('x')).rejects.toThrow(/EEXIST|ENOTDIR/);
  });
});
