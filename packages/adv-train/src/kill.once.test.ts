import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeTensors } from './checkpoint/tensor-file.js';
import { fileCheckpoint } from './node/file-checkpoint.js';

const PROGRAM = fileURLToPath(new URL('./testing/killable-run.ts', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moe-kill-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Ended {
  readonly lines: readonly string[];
  readonly errors: string;
  readonly signal: NodeJS.Signals | null;
}

/** Runs the program, and kills it without warning `delayMs` after it printed a number of lines. */
function runProgram(path: string, modelSeed: number, killAfter = Infinity, delayMs = 0): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', PROGRAM, path, String(modelSeed)]);
    const lines: string[] = [];
    let errors = '';
    child.stderr.on('data', (text) => (errors += String(text)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (lines.push(line) === killAfter) setTimeout(() => child.kill('SIGKILL'), delayMs);
    });
    child.on('error', reject);
    child.on('close', (_, signal) => resolve({ lines, errors, signal }));
  });
}

describe('train, killed', () => {
  it('goes on after SIGKILL to the very bits of a run that nobody killed', async () => {
    const whole = await runProgram(join(folder, 'whole'), 1);
    expect(whole.errors).toBe('');
    const path = join(folder, 'killed');
    // The first call is killed before anything was saved, the others soon after a step or while one is written; later models start elsewhere.
    for (const [call, [killAfter, delayMs]] of ([[2, 0], [9, 4], [12, 11]] as const).entries()) {
      const { signal } = await runProgram(path, 1, killAfter, delayMs);
      expect(signal, `call ${call}`).toBe('SIGKILL');
    }
    const resumed = await runProgram(path, 99);
    expect(resumed.errors).toBe('');
    expect(resumed.lines[0]).toBe('resume');
    expect(resumed.lines.length).toBeLessThan(whole.lines.length);
    expect(resumed.lines.at(-1)).toBe(whole.lines.at(-1));
    expect(await readFile(path)).toEqual(await readFile(join(folder, 'whole')));
  });
});

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
    const { tensors } = decodeTensors(await readFile(join(folder, 'whole')));
    expect(tensors.map(({ name }) => name)).toContain('optimizer/momentum/moe/router');
  });
});
