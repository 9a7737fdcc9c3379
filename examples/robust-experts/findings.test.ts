import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from './config.js';
import { PRESETS } from './presets/single.js';
import { configSchema } from './schema.js';
import { findings } from './findings.js';
import type { RoutePath } from './jobs.js';
import type { PathRecord, Results } from './results.js';
import { summarise } from './summary.js';

const N = 200;
const flags = (ones: number, from = 0): string => Array.from({ length: N }, (_, i) => (i >= from && i < from + ones ? '1' : '0')).join('');

function path(model: PathRecord['model'], route: RoutePath, robust: number, extra: Partial<PathRecord> = {}): PathRecord {
  return { model, path: route, images: N, engine: 'wasm', clean: flags(180), pgd: flags(robust), apgd: flags(robust), trust: 'ok', findings: [], ...extra };
}

/** Dense with 80 robust images, and a block-switch with two experts. */
function results(paths: readonly PathRecord[]): Results {
  const parsed = parseConfig('quick', { models: ['dense', 'block-switch'], moe: { numExperts: 2 } });
  if ('problem' in parsed) throw new Error(parsed.problem.message);
  const history = { epochs: [] };
  return {
    preset: 'quick',
    config: parsed.config,
    data: { name: 'test', classNames: ['a', 'b'], inputShape: [2, 2, 1] },
    provenance: { moe: '0', tfjs: '4', node: 'v20', commit: null, engine: 'wasm' },
    training: [
      { model: 'dense', parameters: 1, macs: 1, moeLayers: [], lipschitz: [], history },
      { model: 'block-switch', parameters: 2, macs: 1, moeLayers: ['layer4.0'], lipschitz: [], history },
    ],
    paths,
    audits: [],
    legacy: [],
    probes: [],
    findings: [],
  };
}

const routing = (...share: number[]) => ({ routing: [{ layer: 'layer4.0', images: 2000, share, classByExpert: [share, share] }] });

describe('findings', () => {
  it('says that nothing is significant when differences are small', () => {
    const text = findings(results([path('dense', 'gated', 80), path('block-switch', 'gated', 82, routing(0.6, 0.4)), path('block-switch', 0, 84), path('block-switch', 1, 60)])).join('\n');
    // Paired: 2 images differ, exact two-sided p = 2 · 0.5² = 0.5; for the expert likewise, doubled to 1 by the correction.
    expect(text).toContain('Gated block-switch does not differ significantly in robustness from the dense model: +1.0 points of accuracy under attack (paired exact test, p = 0.500).');
    expect(text).toContain('is ahead of the gated model (41.0 % of the images withstand both attacks), but not significantly (p = 1.000 after correction for 2 experts).');
    expect(text).toContain('All experts of block-switch live: 60 %, 40 %');
  });

  it('names a robust expert and a collapse when there is one', () => {
    const text = findings(results([path('dense', 'gated', 80), path('block-switch', 'gated', 100, routing(1, 0)), path('block-switch', 0, 130), path('block-switch', 1, 0)])).join('\n');
    // 20 and 30 images differ, all one way: p = 2 · 0.5^20 and 2 · 2 · 0.5^30, both below 0.0005.
    expect(text).toContain('Gated block-switch is more robust than the dense model: +10.0 points');
    expect(text).toContain('Robust expert: expert 0 of block-switch (65.0 %) beats the gated model (50.0 % of the images withstand both attacks) by +15.0 points (p < 0.001');
    expect(text).toContain('Routing of block-switch collapsed on one expert: 100 %, 0 % of the test images reach experts 0 to 1 of layer4.0.');
  });

  it('reports a fault and keeps its numbers out of every comparison', () => {
    const fault = { trust: 'invalid' as const, findings: ['AutoPGD leaves more than PGD.'] };
    const run = results([path('dense', 'gated', 80), path('block-switch', 'gated', 100, { ...routing(0.5, 0.5), ...fault }), path('block-switch', 0, 130), path('block-switch', 1, 0)]);
    const text = findings(run).join('\n');
    expect(text).toContain('FAULT: block-switch, gated: AutoPGD leaves more than PGD. Its numbers are not results.');
    expect(text).not.toContain('robust than');
    expect(text).not.toContain('Robust expert');
    expect(summarise(run).some((row) => row.isRobustExpert)).toBe(false);
  });

  it('finds dead experts by share', () => {
    const text = findings(results([path('dense', 'gated', 80), path('block-switch', 'gated', 80, routing(0.995, 0.005)), path('block-switch', 0, 80), path('block-switch', 1, 0)])).join('\n');
    expect(text).toContain('collapsed on one expert');
    expect(text).toContain('No single expert of block-switch withstands attacks better than the gated model (40.0 % of the images withstand both attacks); the best is expert 0 (40.0 %).');
  });
});

describe('summarise', () => {
  it('counts an image as robust only if it withstands both attacks, and marks experts above the gated model', () => {
    const rows = summarise(results([path('dense', 'gated', 80), path('block-switch', 'gated', 80, routing(0.7, 0.3)), path('block-switch', 0, 90, { apgd: flags(90, 5) }), path('block-switch', 1, 80)]));
    expect(rows.map((row) => row.robust)).toEqual([80, 80, 85, 80]);
    expect(rows.map((row) => row.isRobustExpert)).toEqual([false, false, true, false]);
    expect(rows.map((row) => row.share)).toEqual([undefined, undefined, 0.7, 0.3]);
  });
});

describe('the presets', () => {
  it('leave quick as it was when its results were committed', () => {
    const { config } = JSON.parse(readFileSync(join(import.meta.dirname, 'results', 'quick', 'config.json'), 'utf8')) as { config: unknown };
    const parsed = parseConfig('quick');
    expect(configSchema.parse(config)).toEqual('config' in parsed && { ...parsed.config, workers: expect.any(Number), backend: expect.any(String) });
  });

  it('are valid', () => {
    expect(parseConfig('quick')).toHaveProperty('config');
    expect(parseConfig('cifar10', { data: { folder: 'x' } })).toHaveProperty('config');
    expect(Object.keys(PRESETS)).toEqual(['quick', 'cifar10', 'paper']);
  });
});
