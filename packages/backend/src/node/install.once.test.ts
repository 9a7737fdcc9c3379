import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeTensorflow } from './doctor.js';
import { installTensorflow, removeTensorflow } from './install.js';
import { findTensorflow, tensorflowFolder } from './installation.js';
import { LIBRARY_NAMES, WHEEL } from './platform.js';

let folder: string;
const cacheBefore = process.env.XDG_CACHE_HOME;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'moe-install-'));
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
});
afterEach(() => {
  if (cacheBefore === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cacheBefore;
  rmSync(folder, { recursive: true, force: true });
});

/** A folder that looks like TensorFlow's. */
function fakeTensorflow(sub: string): string {
  const place = join(folder, 'elsewhere', sub);
  mkdirSync(place, { recursive: true });
  for (const name of LIBRARY_NAMES[0]!) writeFileSync(join(place, name), '');
  return join(folder, 'elsewhere');
}

/** What lies in the cache, whole or half. */
const left = () => (existsSync(join(folder, 'cache', 'moe')) ? readdirSync(join(folder, 'cache', 'moe')) : []);

describe('installTensorflow', () => {
  it.each(['.', 'lib', 'tensorflow'])('uses a TensorFlow that is there, from its folder (%s)', async (sub) => {
    const from = fakeTensorflow(sub);
    const { libraries } = await installTensorflow({ from });
    expect(libraries).toEqual(LIBRARY_NAMES[0]!.map((name) => join(from, sub, name)));
    expect(findTensorflow()).toEqual({ folder: tensorflowFolder(), libraries, from });
    expect(await installTensorflow()).toEqual(findTensorflow());
    await removeTensorflow();
    expect(findTensorflow()).toBeUndefined();
    expect(existsSync(libraries[0]!)).toBe(true);
  });

  it('is not there any more once its files are gone, and says how to get it', async () => {
    await installTensorflow({ from: fakeTensorflow('lib') });
    rmSync(join(folder, 'elsewhere'), { recursive: true });
    expect(findTensorflow()).toBeUndefined();
    const { ready, remedies } = await describeTensorflow();
    expect(ready).toBe(false);
    expect(remedies).toEqual([expect.stringContaining('moe-backend install tensorflow')]);
  });

  it('may run several times at once', async () => {
    const from = fakeTensorflow('lib');
    const all = await Promise.all(Array.from({ length: 8 }, () => installTensorflow({ from })));
    for (const installation of all) expect(installation).toEqual(findTensorflow());
    expect(left()).toEqual([basename(tensorflowFolder())]);
  });

  it('takes over the lock of a process that was killed, and waits for one that runs', async () => {
    const from = fakeTensorflow('lib');
    const lock = `${tensorflowFolder()}.lock`;
    mkdirSync(join(folder, 'cache', 'moe'), { recursive: true });
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(lock, `${pid} ${hostname()}`);
    await installTensorflow({ from });
    writeFileSync(lock, `${process.pid} ${hostname()}`);
    await expect(installTensorflow({ from, signal: AbortSignal.timeout(300) })).rejects.toThrow(/installTensorflow/);
    expect(existsSync(lock)).toBe(true);
  });

  it('refuses a wheel that is not the pinned one, and leaves nothing behind', async () => {
    const wheel = join(folder, 'x.whl');
    writeFileSync(wheel, 'not a wheel');
    const stages: string[] = [];
    await expect(installTensorflow({ from: wheel, onProgress: ({ stage, done, total }) => stages.push(`${stage} ${done}/${total}`) })).rejects.toThrow(/x\.whl must be the wheel of tensorflow.* with the SHA-256 \w{64}, got \w{64}/);
    expect(stages).toEqual(['check 11/11']);
    expect(left()).toEqual([]);
  });

  it('refuses what is not there, holds no TensorFlow, or is no option', async () => {
    await expect(installTensorflow({ from: join(folder, 'nothing') })).rejects.toThrow("from must be a wheel, an archive, a folder or 'python'");
    await expect(installTensorflow({ from: folder })).rejects.toThrow('which has none');
    await expect(installTensorflow({ form: 'x' } as object)).rejects.toThrow("unknown option 'form'");
    await expect(installTensorflow({ signal: AbortSignal.abort() })).rejects.toThrow(/installTensorflow/);
    expect(left()).toEqual([]);
  });

  it('says what to do where the cache cannot be written', async () => {
    writeFileSync(join(folder, 'cache'), 'a file');
    await expect(installTensorflow({ from: fakeTensorflow('lib') })).rejects.toThrow(/must be writable and have 1\.2 GB of free space.*XDG_CACHE_HOME/);
  });
});

describe.skipIf(WHEEL === undefined)('installTensorflow (skipped where there is no wheel to fetch)', () => {
  const path = process.env.PATH;
  afterEach(() => {
    process.env.PATH = path;
  });

  it('says what to do without Python, and without pip', async () => {
    process.env.PATH = folder;
    await expect(installTensorflow()).rejects.toThrow(/Python 3 with pip must be installed, got neither .*Install it/);
    writeFileSync(join(folder, 'python3'), '#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n', { mode: 0o755 });
    await expect(installTensorflow()).rejects.toThrow('Python must have pip, but python3 has none. Run `python3 -m ensurepip`');
    expect(left()).toEqual([]);
  });
});

describe('moe-backend', () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const args = ['--conditions=@moe/source', '--import', 'tsx', 'src/node/cli.ts'];

  it('installs, and removes', () => {
    const run = (...command: string[]) => execFileSync(process.execPath, [...args, ...command], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    expect(run('install', 'tensorflow', '--from', fakeTensorflow('lib'))).toContain(`TensorFlow is installed in ${tensorflowFolder()}`);
    expect(run('remove', 'tensorflow')).toBe('TensorFlow is removed.\n');
    expect(run()).toContain('moe-backend doctor');
  });

  it('ends well when its reader has seen enough', async () => {
    const child = spawn(process.execPath, [...args, '--help'], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let errors = '';
    child.stderr.on('data', (text) => (errors += String(text)));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, errors]).toEqual([0, '']);
  });

  it.each([
    [['instal'], "the command must be install, doctor or remove, got 'instal'"],
    [['install', 'torch'], "the engine must be 'tensorflow', got 'torch'"],
    [['install', 'tensorflow', '--form', 'x'], "Unknown option '--form'"],
  ])('refuses %j in one line', (command, message) => {
    const { status, stderr } = spawnSync(process.execPath, [...args, ...command], { cwd, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  });
});
