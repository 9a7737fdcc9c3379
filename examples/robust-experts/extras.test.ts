// What is asked of a finished model besides its paths, in one process: audit, legacy scores, probe, export.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@moe/backend';
import { readJson } from '@moe/experiments';
import { readSafetensors } from '@moe/layers';
import { type Tensor, io, memory, tensor, tidy } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditModel } from './audit.js';
import { parseConfig } from './config.js';
import { attackedData } from './data.js';
import { evaluatePath } from './evaluate-path.js';
import { exportExpert, keptExperts } from './export/export-expert.js';
import { measureStrength } from './figures/strength.js';
import { finishedModel } from './finished-model.js';
import { files } from './jobs.js';
import { legacyScores } from './legacy.js';
import { SCALES } from './presets/scales.js';
import { probeModel } from './probe.js';
import type { AuditRecord, LegacyRecord, PathRecord, ProbeRecord, Results, TrainingRecord } from './results.js';
import { type JobContext, trainModel } from './train-model.js';

const folder = mkdtempSync(join(tmpdir(), 'moe-extras-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NAME = 'block-switch';
const parsed = parseConfig('paper', SCALES.toy, {
  models: [NAME],
  network: { depth: 10, width: 2 },
  moe: { numExperts: 2 },
  data: { testImages: 6 },
  evaluation: { audit: { images: 2, routingImages: 1, autoAttack: 'quick' }, legacy: { images: 6, batchSizes: [3, 1] }, probe: 50 },
  backend: 'wasm',
});
if ('problem' in parsed) throw new Error(parsed.problem.message);
const { config } = parsed;
const context: JobContext = { config, folder, signal: new AbortController().signal, onProgress: () => undefined, log: () => undefined };
const record = async <T>(path: string): Promise<T> => (await readJson<T>(path))!;

beforeAll(async () => {
  await useBackend('wasm');
  await trainModel(NAME, context);
  for (const path of ['gated', 0, 1] as const) await evaluatePath(NAME, path, context);
}, 300_000);

describe('a finished model', () => {
  it('is attacked by PGD from both starts on every path', async () => {
    const { pgd, apgd, pgdFromImage } = await record<PathRecord>(files.evaluation(folder, NAME, 1));
    expect([pgd, apgd, pgdFromImage].map((flags) => flags?.length)).toEqual([6, 6, 6]);
  });

  it('is audited: AutoAttack on it and its best expert, attacks on routing, each layer', async () => {
    await auditModel(NAME, context);
    const { attacks, layers } = await record<AuditRecord>(files.extra(folder, NAME, 'audit'));
    expect(attacks.map(({ attack, images, robust }) => [attack, images, robust.length])).toEqual([['autoAttack:quick', 2, 2], ['autoAttack:quick', 2, 2], ['routingAttacks', 1, 1]]);
    expect(attacks.map(({ path }) => typeof path)).toEqual(['string', 'number', 'string']);
    expect(layers.map(({ layer, experts }) => [layer, experts.length])).toEqual([['layer4.0', 2]]);
  });

  it('is scored in training mode as published, from the trained weights for each batch size', async () => {
    await legacyScores(NAME, context);
    const { images, scores } = await record<LegacyRecord>(files.extra(folder, NAME, 'legacy'));
    expect([images, scores.map(({ batchSize }) => batchSize)]).toEqual([6, [3, 1]]);
    for (const { evaluationMode, trainingMode } of scores) for (const share of [evaluationMode, trainingMode]) expect(images * share).toBeCloseTo(Math.round(images * share));
    // The trained weights on disk are not touched: scored again, everything is the same.
    await legacyScores(NAME, context);
    expect(await record<LegacyRecord>(files.extra(folder, NAME, 'legacy'))).toEqual({ model: NAME, images, scores });
  });

  it('is probed: every image is in the confusion, in a bin, and counted once for each k', async () => {
    await probeModel(NAME, context);
    const { images, confusion, byTopK, gates } = await record<ProbeRecord>(files.extra(folder, NAME, 'probe'));
    expect(confusion.flat().reduce((a, b) => a + b, 0)).toBe(images);
    expect(byTopK.map(({ topK }) => topK)).toEqual([1, 2]);
    expect(byTopK[0]!.accuracy).toBeCloseTo(confusion.reduce((sum, row, i) => sum + row[i]!, 0) / images);
    const [gate] = gates;
    expect(gate!.histogram.map((bins) => bins.reduce((a, b) => a + b, 0))).toEqual([images, images]);
    expect(gate!.pairs[0]![0]! + gate!.pairs[1]![1]!).toBeCloseTo(1);
    const map = Uint8Array.from(Buffer.from(gate!.sensitivity[0]!.map, 'base64'));
    expect([map.length, Math.max(...map)]).toEqual([28 * 28, 255]);
    // Four images for each of two experts, then for the one that serves it after each number of steps.
    expect(gate!.sensitivity.map(({ steps }) => steps)).toEqual([undefined, 5, 10, 20].flatMap((steps) => Array.from({ length: steps === undefined ? 8 : 4 }, () => steps)));
  });

  it('falls with the radius of the attack', async () => {
    const { clean, bySteps, byRadius, images } = await measureStrength(NAME, config, folder, 6);
    expect([images, bySteps.length]).toEqual([6, 5]);
    const curve = [clean, ...byRadius.map(({ robust }) => robust)];
    expect(curve).toEqual(curve.toSorted((a, b) => b - a));
  });

  it('leaves no tensor', async () => {
    const before = memory().numTensors;
    await probeModel(NAME, context);
    await legacyScores(NAME, context);
    expect(memory().numTensors).toBe(before);
  });

  it('gives one expert as a dense model of the same logits, for tfjs and with the names of torchvision', async () => {
    const results: Results = {
      preset: 'toy', config, data: { name: '', classNames: [], inputShape: [28, 28, 1] }, provenance: { moe: '', tfjs: '', node: '', commit: null, engine: 'wasm' }, findings: [], audits: [], legacy: [], probes: [],
      training: [await record<TrainingRecord>(files.training(folder, NAME))],
      paths: await Promise.all((['gated', 0, 1] as const).map((path) => record<PathRecord>(files.evaluation(folder, NAME, path)))),
    };
    expect(keptExperts(results, NAME, 1)).toEqual({ 'layer4.0': 1 });
    const line = await exportExpert(results, folder, folder, { expert: 1, images: 2 });
    expect(line).toContain('block-switch, expert 1 (layer4.0: 1)');

    const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as { modelTopology: object; weightsManifest: { weights: io.WeightsManifestEntry[] }[] };
    const bytes = readFileSync(join(folder, 'weights.bin'));
    const dense = await loadLayersModel(io.fromMemory({ modelTopology, weightSpecs: weightsManifest[0]!.weights, weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer }));
    const data = await attackedData(config);
    const model = await finishedModel(NAME, context, data);
    const { inputs, shape } = await data.read([0, 1, 2]);
    const [alone, fixed] = tidy(() => {
      const images = tensor(inputs, [...shape]);
      return [dense.predict(images) as Tensor, model.logits(1)(images)].map((logits) => Array.from(logits.dataSync()));
    });
    expect(alone!.every((value, i) => Math.abs(value - fixed![i]!) < 1e-5)).toBe(true);
    expect([...readSafetensors(readFileSync(join(folder, 'model.safetensors'))).tensors.keys()]).toContain('layer4.0.conv1.weight');
    expect(readFileSync(join(folder, 'card.html'), 'utf8')).toContain('Verdict');

    const anew = join(folder, 'anew');
    mkdirSync(anew);
    await exportExpert(results, folder, anew, { expert: 1, images: 1, batchNorm: 40 });
    const [before, after] = [folder, anew].map((place) => readSafetensors(readFileSync(join(place, 'model.safetensors'))).tensors);
    const same = (name: string): boolean => String(before!.get(name)!.data) === String(after!.get(name)!.data);
    expect(['layer4.0.conv1.weight', 'layer4.0.bn1.running_mean', 'layer4.0.bn1.running_var'].map(same)).toEqual([true, false, false]);
    dense.dispose();
    model.network.dispose();
  });
});
