// A sweep as a program: many runs in one table, finished ones not done again, small files published.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'moe-sweep-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const program = (file: string, ...args: string[]) => spawnSync(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', join(import.meta.dirname, file), ...args], { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
const out = join(root, 'out');
const published = join(root, 'published');
const sweep = (...args: string[]) =>
  program('main.ts', ...'--preset headline --scale toy --only dense,2nd-block-entropy --experts 2 --top-k 2 --depth 10 --at layer4.0 --width 2 --train-images 32 --test-images 4 --backend wasm'.split(' '), '--out', out, '--publish', published, ...args);

describe('a sweep', () => {
  it('does every run in a folder of its own and publishes the small files', () => {
    const { status, stdout, stderr } = sweep();
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/dense +finished/);
    expect(stdout).toMatch(/2nd-block-entropy +finished/);
    expect(readdirSync(out).sort()).toEqual(['2nd-block-entropy', 'dense']);
    expect(readdirSync(join(published, 'dense')).sort()).toEqual(['config.json', 'metrics.jsonl', 'results.json']);
  });

  it('does finished runs not again, and refuses their folders to other settings', () => {
    const weights = join(out, 'dense', 'models', 'dense', 'weights.moe');
    const before = statSync(weights).mtimeMs;
    expect(sweep().status).toBe(0);
    expect(statSync(weights).mtimeMs).toBe(before);
    const { status, stderr } = sweep('--epochs', '2');
    expect([status, stderr.includes('holds a run with other settings of training')]).toEqual([2, true]);
  });

  it('is no condition for the figures: they show older runs and those of several models too', () => {
    const { status, stdout, stderr } = program('figures.ts', 'answers', 'experts', 'collapse', 'legacy', '--results', join(import.meta.dirname, 'results'), '--out', join(root, 'older'));
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('quick block-entropy');
  });

  it('is shown by the figures', () => {
    const { status, stdout, stderr } = program('figures.ts', 'answers', 'experts', 'trade-off', 'collapse', 'classes', '--results', published, '--out', join(root, 'figures'));
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('2nd-block-entropy does not differ significantly from the dense model');
    expect(readFileSync(join(root, 'figures', 'experts-2.svg'), 'utf8')).toContain('<svg');
    expect(program('figures.ts', 'nothing').status).toBe(2);
  });
});
