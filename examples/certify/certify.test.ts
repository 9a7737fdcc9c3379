// The whole program, tiny; what its page says against its results; and that it refuses a certificate that an attack gets inside.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { createRng } from '@moe/core';
import { describeLayersModel, productBound } from '@moe/lipschitz';
import { useBackend } from '@moe/backend';
import { type Tensor2D, tensor, tidy } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { globalCertificates } from './certificates.js';
import { buildMixture, mixtureCertificates } from './mixture.js';
import { parseOptions } from './options.js';
import { type Results, curveOf } from './run.js';
import { describe as describeModel } from './subject.js';

const here = (file: string): string => join(import.meta.dirname, file);
let folder = '';
beforeAll(async () => {
  await useBackend('wasm');
  folder = await mkdtemp(join(tmpdir(), 'certify-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('trains, certifies and attacks, tiny', async () => {
  const args = ['--train-images', '256', '--epochs', '1', '--limit', '4', '--attack', 'glance', '--radii', '0.5', '--sigma', '0.25', '--draws', '16', '--engine', 'wasm', '--out', folder];
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', here('main.ts'), ...args], { timeout: 200_000 });
  expect(stdout).toMatch(/^Certified against attacked: fashion-mnist. 4 images, L2.\n[\s\S]*radius +attacked +certified, Lipschitz +attacked, smoothing +certified, smoothing\n/);
  const { curves, missing } = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8')) as Results;
  expect(missing).toEqual([]);
  expect(curves.map(({ name }) => name)).toEqual(['Lipschitz', 'smoothing']);
  for (const { certified, attacked } of curves) {
    expect(certified.map(({ radius }) => radius)).toEqual([0, 0.5]);
    certified.forEach(({ certifiedAccuracy }, i) => expect(attacked[i]!.certifiedAccuracy).toBeGreaterThanOrEqual(certifiedAccuracy));
  }
  expect(await readFile(join(folder, 'certify.html'), 'utf8')).toMatch(/^<!doctype html>[\s\S]*<svg /);
});

it.each(['fashion-mnist', 'fashion-mnist-4-experts', 'plain'])('says in its README what the results of %s say', async (name) => {
  const [readme, results] = await Promise.all([readFile(here('README.md'), 'utf8'), readFile(here(`results/${name}.json`), 'utf8')]);
  const { curves } = JSON.parse(results) as Results;
  const percent = (share: number): string => (100 * share).toFixed(1);
  const columns = curves.flatMap(({ name, certified, attacked }) => [...(name === 'local' ? [] : [attacked]), certified]);
  for (const [i, { radius }] of columns[0]!.entries()) expect(readme).toContain(`| ${[radius, ...columns.map((column) => percent(column[i]!.certifiedAccuracy))].join(' | ')} |`);
});

describe('mixtureCertificates', () => {
  it('come near those of one expert where all are alike', () => {
    const mixture = buildMixture(2, 1);
    const images = tensor(createRng(2).uniform(2 * 784), [2, 28, 28, 1]);
    const [first, ...others] = mixture.experts;
    const apart = mixtureCertificates(mixture, images, 5);
    for (const other of others) other.setWeights(first!.getWeights());
    const alone = globalCertificates(describeLayersModel(first!), tidy(() => (first!.apply(images) as Tensor2D).arraySync()));
    const same = mixtureCertificates(mixture, images, 5);
    expect(apart.every(({ radius }) => radius > 0)).toBe(true);
    same.forEach(({ prediction, radius }, i) => {
      expect(prediction).toBe((alone as typeof same)[i]!.prediction);
      // Experts that agree at the centre may still part within the ball.
      expect(radius).toBeLessThanOrEqual((alone as typeof same)[i]!.radius * (1 + 1e-6));
      expect(radius).toBeGreaterThan((alone as typeof same)[i]!.radius * 0.5);
    });
    mixture.network.dispose();
    images.dispose();
  });
});

describe('curveOf', () => {
  it('counts what is certified and what stands, by hand', () => {
    const verdicts = [
      { correct: true, radius: 0.4, length: Infinity },
      { correct: true, radius: 0.1, length: 0.3 },
      { correct: false, radius: 9, length: 0 },
      { correct: true, radius: 0, length: 0.1 },
    ];
    const { certified, attacked } = curveOf('test', [1, 2, 3, 4], verdicts, [0.1, 0.3]);
    expect(certified.map(({ certifiedAccuracy }) => certifiedAccuracy)).toEqual([0.75, 0.5, 0.25]);
    expect(attacked.map(({ certifiedAccuracy }) => certifiedAccuracy)).toEqual([0.75, 0.5, 0.25]);
  });

  it('refuses a certificate that an attack got inside', () => {
    expect(() => curveOf('test', [7], [{ correct: true, radius: 0.4, length: 0.3 }], [0.5])).toThrow('got image 7 fooled at 0.3, certified by test to 0.4');
  });
});

describe('describe', () => {
  it('counts what the model does to the range of images, and says why it knows no layer', () => {
    const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
    const bound = (range: [number, number], std: number[]): number => {
      const network = describeModel(model, { range, mean: [0.5], std });
      return typeof network === 'string' ? Number.NaN : productBound(network).bound.value;
    };
    expect(bound([-1, 1], [0.5]) / bound([0, 1], [1])).toBeCloseTo(4, 10);
    model.dispose();
    const unknown = sequential({ layers: [layers.repeatVector({ n: 2, inputShape: [3] })] });
    expect(describeModel(unknown, { range: [0, 1], mean: [0], std: [1] })).toMatch('of class RepeatVector has no adapter');
    unknown.dispose();
    expect(describeModel(undefined, { range: [0, 1], mean: [0], std: [1] })).toMatch('GraphModel');
  });
});

describe('parseOptions', () => {
  it.each([
    [['--model', 'a/model.json'], '--model and --images go together.'],
    [['--radii', '0.5,0.1'], '--radii must rise from above 0, got 0.5,0.1.'],
    [['--sigma', '0'], '--sigma must be positive, got 0.'],
    [['--local', 'maybe'], '--local must be one of yes, no, got maybe.'],
  ])('refuses %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});
