// The whole program, tiny: saved models of both kinds on a folder of images.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Diagnosis, Evaluation } from '@moe/attacks';
import { writeFileAtomic } from '@moe/core/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadData } from './load-data.js';
import { type Settings, parseOptions } from './options.js';
import { stripLayersSoftmax } from './without-softmax.js';

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly out: string;
  readonly err: string;
}

/** Runs a program; with a path to wait for, interrupts it as soon as that exists. */
function node(script: string, args: readonly string[], interruptAt?: string): Promise<Outcome> {
  const command = ['--conditions=@moe/source', '--import', 'tsx', join(import.meta.dirname, script), ...args];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, command, { timeout: 200_000 }, (error, out, err) => {
      clearInterval(watch);
      resolve({ code: error === null ? 0 : error.code, out, err });
    });
    let interrupted = false;
    const watch = setInterval(() => {
      if (interrupted || interruptAt === undefined || !existsSync(interruptAt)) return;
      interrupted = child.kill('SIGINT');
    }, 20);
  });
}

let folder = '';
const start = (out: string, { interruptAt }: { interruptAt?: string }, ...args: string[]): Promise<Outcome> =>
  node('main.ts', ['--images', join(folder, 'images'), '--eps', '12/255', '--attack', 'glance', '--limit', '24', '--out', join(folder, out), '--engine', 'wasm', ...args], interruptAt);
const results = async (out: string) => JSON.parse(await readFile(join(folder, out, 'results.json'), 'utf8')) as { evaluation: Evaluation; diagnosis: Diagnosis };

/** The dense layer of a network as a GraphModel that ends in a softmax, written by hand. */
async function saveGraph(path: string): Promise<void> {
  const [pixels, classes] = [28 * 28, 10];
  const weights = Float32Array.from({ length: pixels * classes }, (_, i) => Math.sin(i));
  const type = { type: 'DT_FLOAT' };
  const node = [
    { name: 'x', op: 'Placeholder', attr: { dtype: type, shape: { shape: { dim: [-1, 28, 28, 1].map((size) => ({ size: String(size) })) } } } },
    { name: 'shape', op: 'Const', attr: { dtype: { type: 'DT_INT32' }, value: { tensor: { dtype: 'DT_INT32', tensorShape: { dim: [{ size: '2' }] } } } } },
    { name: 'w', op: 'Const', attr: { dtype: type, value: { tensor: { dtype: 'DT_FLOAT', tensorShape: { dim: [{ size: String(pixels) }, { size: String(classes) }] } } } } },
    { name: 'flat', op: 'Reshape', input: ['x', 'shape'], attr: { T: type } },
    { name: 'product', op: 'MatMul', input: ['flat', 'w'], attr: { T: type, transpose_a: { b: false }, transpose_b: { b: false } } },
    { name: 'softmax', op: 'Softmax', input: ['product'], attr: { T: type } },
    { name: 'Identity', op: 'Identity', input: ['softmax'], attr: { T: type } },
  ];
  const weightsManifest = [{ paths: ['weights.bin'], weights: [{ name: 'shape', shape: [2], dtype: 'int32' }, { name: 'w', shape: [pixels, classes], dtype: 'float32' }] }];
  const shape = Int32Array.of(-1, pixels);
  await writeFileAtomic(join(path, 'weights.bin'), Buffer.concat([new Uint8Array(shape.buffer), new Uint8Array(weights.buffer)]));
  await writeFileAtomic(join(path, 'model.json'), JSON.stringify({ format: 'graph-model', modelTopology: { node, library: {}, versions: {} }, weightsManifest }));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evaluate-'));
  const { code, err } = await node('make-demo.ts', [folder, '1000', '3', '100']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  await saveGraph(join(folder, 'graph'));
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('evaluate-any-model', () => {
  it('prints the card of a plain model, after Ctrl-C and from two threads the same as from one, and trusts the number', async () => {
    const model = join(folder, 'plain', 'model.json');
    const stopped = await start('two', { interruptAt: join(folder, 'two', 'state') }, '--model', model, '--threads', '2');
    expect(stopped).toMatchObject({ code: 130, out: '', err: expect.stringContaining('Stopping; the same command continues.') });
    const [two, one] = [await start('two', {}, '--model', model, '--threads', '2'), await start('one', {}, '--model', model, '--threads', '1')];
    expect(two.out).toMatch(/^plain. Robustness on 24 examples of images, all.\n\nRobust accuracy is at most \d/);
    expect([two.code, one.code]).toEqual([0, 0]);
    expect(await readFile(join(folder, 'two', 'results.json'), 'utf8')).toBe(await readFile(join(folder, 'one', 'results.json'), 'utf8'));
    const { evaluation } = await results('two');
    const card = await readFile(join(folder, 'two', 'card.html'), 'utf8');
    expect(card).toMatch(/^<!doctype html>[\s\S]*Fooled images[\s\S]*Reasons for doubt/);
    expect(evaluation.clean.correct - evaluation.worstCase.robust).toBeGreaterThanOrEqual(6);
    // Six of the fooled images: what each is, and the other class that its attacked one is taken for.
    const captions = (row: string): string[] => [...card.matchAll(new RegExp(`alt="${row}, image \\d: ([^"]*?)(?: by [^"]*)?"`, 'g'))].map(([, name]) => name!);
    const [labels, taken] = [captions('image'), captions('attacked')];
    expect([labels.length, taken.length, card.match(/alt="added/g)?.length]).toEqual([6, 6, 6]);
    labels.forEach((label, i) => expect([label, taken[i]]).toEqual([expect.stringMatching(/^\d \S/), expect.not.stringMatching(new RegExp(`^${label}$`))]));
    expect(evaluation.clean.accuracy).toBeGreaterThan(0.5);
    expect(evaluation.findings.map(({ id }) => id)).not.toContain('looks-like-probabilities');
    const other = await start('two', {}, '--model', model, '--seed', '2');
    expect(other).toMatchObject({ code: 2, err: expect.stringContaining('holds a run with other settings of seed') });
  });

  it('says plainly that a model behind a stair only looks robust', async () => {
    const { code, out } = await start('masked', {}, '--model', join(folder, 'masked', 'model.json'), '--twin', join(folder, 'plain', 'model.json'));
    expect(out).toContain('This model only looks robust. The attacks leave ');
    expect(code).toBe(1);
    const { evaluation, diagnosis } = await results('masked');
    expect([...evaluation.findings, ...diagnosis.findings].map(({ id }) => id)).toEqual(expect.arrayContaining(['zero-gradient', 'transfer-stronger', 'attack-misses-planted']));
  });

  it('takes a graph model, without its softmax', async () => {
    const { out } = await start('graph-out', {}, '--model', join(folder, 'graph', 'model.json'), '--limit', '16');
    expect(out).toMatch(/^graph. Robustness on 16 examples/);
    const { evaluation } = await results('graph-out');
    expect(evaluation.findings.map(({ id }) => id)).not.toContain('looks-like-probabilities');
    expect(evaluation.evidence.zeroGradients).toEqual([]);
  });

  it('says which model is missing', async () => {
    const { code, err } = await start('none', {}, '--model', join(folder, 'no', 'model.json'));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/model.json must exist. Pass the model.json/) });
  });

  it('labels images by a list of names, which must hold every folder', async () => {
    const names = join(folder, 'names.txt');
    const settings = parse('--classes', names);
    await writeFileAtomic(names, `other\n${classes.toReversed().join('\n')}\n`);
    const data = await loadData(settings, [28, 28, 1]);
    expect(Array.from((await data.read([0, 99])).labels)).toEqual([10, 1]);
    await writeFileAtomic(names, 'cat\ndog\n');
    await expect(loadData(settings, [28, 28, 1])).rejects.toThrow('--classes must name every folder of images, got none for 0 t-shirt or top');
  });
});

const classes = ['0 t-shirt or top', '1 trouser', '2 pullover', '3 dress', '4 coat', '5 sandal', '6 shirt', '7 sneaker', '8 bag', '9 ankle boot'];

function parse(...args: string[]): Settings {
  const options = parseOptions(['--model', 'some/model.json', '--images', join(folder, 'images'), '--eps', '8/255', ...args]);
  if (typeof options === 'string') throw new Error(options);
  return options.settings;
}

describe('parseOptions', () => {
  it('reads fractions, ranges and sizes', () => {
    expect(parse('--range=-1,1', '--size', '32,24', '--mean', '0.1,0.2,0.3')).toMatchObject({ eps: 8 / 255, range: [-1, 1], size: [32, 24], mean: [0.1, 0.2, 0.3], std: [1], limit: 200, attack: 'quick' });
    expect(parse('--eps', '0.5', '--norm', 'L2')).toMatchObject({ eps: 0.5, norm: 'L2' });
  });

  it.each([
    [['--eps', 'x'], '--eps must be a positive number or fraction, got x.'],
    [['--eps', '1/0'], '--eps must be a positive number or fraction, got 1/0.'],
    [['--norm', 'L3'], '--norm must be one of Linf, L2, L1, got L3.'],
    [['--epsilon', '1'], "Unknown option '--epsilon'"],
    [['--range', '1,0'], '--range must rise, got 1,0.'],
    [['--std', '0'], '--std must be positive, got 0.'],
    [['--mean', '1,2'], '--mean must be 1 or 3 numbers with commas, got 1,2.'],
    [['--limit', '0'], '--limit must be a whole number from 1, got 0.'],
  ])('refuses %j', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });

  it('needs model, images and eps', () => {
    expect(() => parseOptions(['--images', 'a', '--eps', '1'])).toThrow('--model is needed.');
  });
});

describe('stripLayersSoftmax', () => {
  const dense = (activation: string) => ({ class_name: 'Dense', config: { name: 'out', activation } });
  it.each([
    ['a dense layer', { class_name: 'Sequential', config: { layers: [dense('softmax')] } }, { class_name: 'Sequential', config: { layers: [dense('linear')] } }],
    ['a list of layers', { class_name: 'Sequential', config: [dense('relu'), dense('softmax')] }, { class_name: 'Sequential', config: [dense('relu'), dense('linear')] }],
    ['a layer of its own', { class_name: 'Sequential', config: [{ class_name: 'Softmax', config: { name: 's' } }] }, { class_name: 'Sequential', config: [{ class_name: 'Activation', config: { name: 's', trainable: true, activation: 'linear' } }] }],
    ['a network inside', { class_name: 'Sequential', config: [{ class_name: 'Sequential', config: [dense('softmax')] }] }, { class_name: 'Sequential', config: [{ class_name: 'Sequential', config: [dense('linear')] }] }],
    ['the output of a graph', { model_config: { class_name: 'Functional', config: { layers: [dense('softmax'), { class_name: 'Dense', config: { name: 'aux', activation: 'softmax' } }], output_layers: [['out', 0, 0]] } } }, { model_config: { class_name: 'Functional', config: { layers: [dense('linear'), { class_name: 'Dense', config: { name: 'aux', activation: 'softmax' } }], output_layers: [['out', 0, 0]] } } }],
    ['no other activation', { class_name: 'Sequential', config: [dense('sigmoid')] }, { class_name: 'Sequential', config: [dense('sigmoid')] }],
  ])('finds it in %s', (_, topology, wanted) => {
    stripLayersSoftmax(topology);
    expect(topology).toEqual(wanted);
  });
});
