// The whole program, tiny: complete output, exact continuation after kill -9, bad input.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Results } from './results.js';

const root = mkdtempSync(join(tmpdir(), 'moe-robust-experts-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const TINY = (
  '--models dense,block-entropy --experts 2 --width 4 --train-images 96 --test-images 10 --epochs 2 --batch-size 32 ' +
  '--train-steps 1 --pgd-steps 2 --apgd-steps 8 --eval-batch-size 5 --backend wasm'
).split(' ');

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[], maxFileKiB?: number): { readonly child: ChildProcess; readonly outcome: Promise<Outcome> } {
  const command = [process.execPath, '--conditions=@moe/source', '--import', 'tsx', join(import.meta.dirname, 'main.ts'), ...args];
  const [program, ...rest] = maxFileKiB === undefined ? command : ['bash', '-c', `ulimit -f ${maxFileKiB}; exec "$@"`, 'bash', ...command];
  const child = spawn(program!, rest, { env: { ...process.env, NO_COLOR: '1' } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)));
  return { child, outcome: new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err }))) };
}

const run = (...args: string[]): Promise<Outcome> => start(args).outcome;
const read = (folder: string): Results => JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results;

async function untilFile(pattern: RegExp, folder: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(existsSync(folder) && readdirSync(folder, { recursive: true }).some((name) => pattern.test(String(name))))) {
    if (Date.now() > deadline) throw new Error(`no file like ${pattern} came`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the robust-experts program', () => {
  const whole = join(root, 'whole');

  it('trains, attacks every path, and leaves a complete run folder', async () => {
    const { code, out, err } = await run(...TINY, '--out', whole);
    expect(err).toContain('Engine: wasm');
    expect(code, err).toBe(0);
    expect(out).toMatch(/Model +Path +Routed here +Clean +PGD-2 +AutoPGD-8/);
    expect(out).toContain('One seed and 10 attacked images per path');
    const results = read(whole);
    expect(results.paths.map(({ model, path }) => `${model}/${path}`)).toEqual(['dense/gated', 'block-entropy/gated', 'block-entropy/0', 'block-entropy/1']);
    for (const record of results.paths) expect([record.clean.length, record.pgd.length, record.apgd.length]).toEqual([10, 10, 10]);
    const [routing] = results.paths[1]!.routing!;
    expect(routing!.share.reduce((a, b) => a + b, 0)).toBeCloseTo(1);
    expect(readFileSync(join(whole, 'metrics.jsonl'), 'utf8').trim().split('\n')).toHaveLength(4);
    expect(readFileSync(join(whole, 'report.html'), 'utf8')).toContain('<svg');
    expect(readdirSync(whole).sort()).toEqual(['config.json', 'metrics.jsonl', 'models', 'report.html', 'results.json']);
  });

  it('prints the same again without working when the run is finished', async () => {
    const copy = join(root, 'copy');
    cpSync(whole, copy, { recursive: true });
    const { code, out } = await run(...TINY, '--out', copy, '--workers', '1');
    expect(code).toBe(0);
    expect(out).toContain('AutoPGD-8');
    const before = read(whole);
    expect(read(copy)).toEqual({ ...before, config: { ...before.config, workers: 1 } });
  });

  it.each([
    ['in training', /checkpoint\.moe$/],
    ['in an attack', /\.state\.json$/],
  ])('continues to the same numbers after kill -9 %s', async (_, trace) => {
    const folder = join(root, `killed-${trace.source.length}`);
    const { child, outcome } = start([...TINY, '--out', folder]);
    await untilFile(trace, folder);
    child.kill('SIGKILL');
    expect((await outcome).code).toBeNull();
    expect(existsSync(join(folder, 'results.json'))).toBe(false);
    const { code, err } = await run(...TINY, '--out', folder);
    expect(code, err).toBe(0);
    expect({ ...read(folder), provenance: null }).toEqual({ ...read(whole), provenance: null });
  });

  it('stops at Ctrl-C with its state saved, and says how to go on', async () => {
    const folder = join(root, 'interrupted');
    const { child, outcome } = start([...TINY, '--out', folder]);
    await untilFile(/checkpoint\.moe$/, folder);
    child.kill('SIGINT');
    const { code, err } = await outcome;
    expect(code).toBe(130);
    expect(err).toContain('Stopping after the current step; the same command continues.');
  });

  it('refuses another configuration in the same folder', async () => {
    const { code, err } = await run(...TINY, '--seed', '9', '--out', whole);
    expect(code).toBe(2);
    expect(err).toContain(`--out: ${whole} holds a run with other settings of seed. Choose another folder or remove this one.`);
  });

  it('refuses wrong use with code 2 and bad data with code 1, in one sentence without a stack', async () => {
    const usage = await run('--epoch', '1');
    expect([usage.code, usage.err.trim()]).toEqual([2, "Unknown option '--epoch'. --help lists the options."]);

    const missing = await run('--preset', 'cifar10', '--data', join(root, 'nowhere'), '--out', join(root, 'missing'));
    expect(missing.code).toBe(1);
    expect(missing.err).toContain('nowhere');
    expect(missing.err).not.toMatch(/^ {4}at /m);

    const images = join(root, 'images');
    for (const part of ['train', 'test']) {
      mkdirSync(join(images, part, 'cat'), { recursive: true });
      mkdirSync(join(images, part, 'dog'), { recursive: true });
      for (const kind of ['cat', 'dog']) writeFileSync(join(images, part, kind, '0.png'), 'not a picture');
    }
    const damaged = await run('--preset', 'cifar10', '--data', images, '--out', join(root, 'damaged'), '--width', '4', '--train-images', '2', '--test-images', '2', '--batch-size', '2');
    expect(damaged.code).toBe(1);
    expect(damaged.err).toContain('0.png');
    expect(damaged.err).not.toMatch(/^ {4}at /m);
  });

  it.runIf(process.platform === 'linux')('says so when the disk takes no more, and leaves nothing half-written', async () => {
    const folder = join(root, 'full');
    // A limit on the size of files, in KiB, stands in for a full disk.
    const { code, err } = await start([...TINY, '--out', folder], 64).outcome;
    expect(code).toBe(1);
    expect(err).toMatch(/writeFileAtomic: .*checkpoint\.moe must be writable, got EFBIG.*Free space or choose another place/);
    expect(err).not.toMatch(/^ {4}at /m);
    expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).includes('.tmp') || String(name).includes('results'))).toEqual([]);
  });

  it('refuses a damaged checkpoint and names it', async () => {
    const folder = join(root, 'damaged-checkpoint');
    cpSync(whole, folder, { recursive: true });
    rmSync(join(folder, 'models', 'dense', 'training.json'));
    rmSync(join(folder, 'results.json'));
    writeFileSync(join(folder, 'models', 'dense', 'checkpoint.moe'), 'garbage');
    const { code, err } = await run(...TINY, '--out', folder);
    expect(code).toBe(1);
    expect(err).toContain(`Saved state: ${join(folder, 'models', 'dense', 'checkpoint.moe')}; remove it to start this part again.`);
    expect(err).not.toMatch(/^ {4}at /m);
    expect(existsSync(join(folder, 'results.json'))).toBe(false);
  });
});
