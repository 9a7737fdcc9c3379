// What the README of @moe/backend says about the engine tensorflow, with its own commands: in an empty project outside the workspace, from packed packages, by npm.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { findTensorflow } from '@moe/backend/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGES } from './packages.mjs';

const project = mkdtempSync(join(tmpdir(), 'moe-engine-'));
const run = async (command: string, ...args: string[]) => (await promisify(execFile)(command, args, { cwd: project, timeout: 280_000 })).stdout;

const program = `
import { useBackend } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import { conv2d, grads, ones, sum } from '@tensorflow/tfjs-core';
const { engine } = await useBackend('tensorflow');
const gradients = grads((a, b) => sum(conv2d(a, b, 2, 'same')))([ones([1, 8, 8, 1]), ones([3, 3, 1, 1])]);
console.log(engine, gradients.map((t) => sum(t).dataSync()[0]).join());`;

describe.skipIf(findTensorflow() === undefined)('the engine of the packed packages (skipped unless `pnpm backend install tensorflow` was run)', () => {
  beforeAll(async () => {
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
    for (const { folder } of PACKAGES) {
      if (['core', 'backend'].includes(basename(folder))) await promisify(execFile)('pnpm', ['pack', '--pack-destination', project], { cwd: folder });
    }
    const tarballs = readdirSync(project).filter((file) => file.endsWith('.tgz'));
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund'];
    await run('npm', 'install', ...quiet, ...tarballs.map((file) => `file:${file}`), '@tensorflow/tfjs-core@4.22.0', '@tensorflow/tfjs-layers@4.22.0');
    await run('npm', 'install', ...quiet, 'koffi', '@tensorflow/tfjs-node-gpu', '--ignore-scripts');
  }, 300_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it('is found by its own command', async () => {
    expect(await run('npx', 'moe-backend', 'install', 'tensorflow')).toContain('TensorFlow is installed in ');
    expect(await run('npx', 'moe-backend', 'doctor')).toMatch(/^tensorflow {2}starts: \d+ threads?, SIMD, (no )?GPU, TensorFlow \d+\.\d+\.\d+$/m);
  });

  it('runs a program', async () => {
    writeFileSync(join(project, 'program.mjs'), program);
    // Four windows of three rows at strides of two: 11 of their 12 rows lie within the eight of the image, and as many columns.
    expect(await run('node', 'program.mjs')).toBe('tensorflow 121,121\n');
  });
});
