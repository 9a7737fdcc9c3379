import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFileBounded, writeFileAtomic } from './files.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moe-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('writeFileAtomic', () => {
  it('makes folders, replaces content and leaves nothing else behind', async () => {
    const path = join(folder, 'a', 'b.json');
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, new Uint8Array([104, 105]));
    expect(await readFile(path, 'utf8')).toBe('hi');
    expect(await readdir(join(folder, 'a'))).toEqual(['b.json']);
  });

  it('keeps the old content and no temporary file when it fails', async () => {
    await writeFile(join(folder, 'file'), 'x');
    await expect(writeFileAtomic(join(folder, 'file', 'child'), 'y')).rejects.toThrow(`writeFileAtomic: ${join(folder, 'file', 'child')} must be writable, got E`);
    // Renaming a file over a folder fails after the temporary was written.
    await writeFileAtomic(join(folder, 'dir', 'inside'), 'z');
    await expect(writeFileAtomic(join(folder, 'dir'), 'y')).rejects.toThrow();
    expect((await readdir(folder)).sort()).toEqual(['dir', 'file']);
  });
});

describe('readFileBounded', () => {
  it('reads, reports absence, and refuses what is too large or no file', async () => {
    const path = join(folder, 'x');
    expect(await readFileBounded('f', path, 10)).toBeUndefined();
    await writeFile(path, 'hello');
    expect(Buffer.from((await readFileBounded('f', path, 5))!).toString()).toBe('hello');
    await expect(readFileBounded('f', path, 4)).rejects.toThrow(`f: ${path} must have at most 4 bytes, got 5.`);
    await expect(readFileBounded('f', folder, 4)).rejects.toThrow('must be a regular file');
  });
});
