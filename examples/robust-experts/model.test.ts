import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { colouredShapes } from '@moe/datasets';
import type { Router } from '@moe/router';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from './config.js';
import { buildModel } from './model.js';
import type { ModelName } from './schema.js';

const parsed = parseConfig('quick', { network: { depth: 10, width: 2 }, moe: { numExperts: 2, noiseStd: 0.3 } });
if ('problem' in parsed) throw new Error(parsed.problem.message);
const { config } = parsed;

/** Options of the routers of a model, by layer. */
function routers(name: ModelName): Record<string, Router['options']> {
  const { network } = buildModel(name, config, colouredShapes({ rng: createRng(1), length: 3 }));
  const found = network.layers.flatMap((layer) => ('router' in layer ? [[layer.name, (layer.router as Router).options] as const] : []));
  network.dispose();
  return Object.fromEntries(found);
}

beforeAll(async () => {
  await useBackend('cpu');
});

describe('buildModel', () => {
  it('gives every router noise but those under the entropy loss, as the released code does', () => {
    const names: ModelName[] = ['dense', 'block-switch', 'block-entropy', 'block-column-entropy', 'conv-switch', 'conv-entropy', 'block-none'];
    const noise = names.map((name) => [name, [...new Set(Object.values(routers(name)).map(({ noiseStd }) => noiseStd))]]);
    expect(Object.fromEntries(noise)).toEqual({
      'dense': [], 'block-switch': [0.3], 'block-entropy': [0], 'block-column-entropy': [0.3], 'conv-switch': [0.3], 'conv-entropy': [0], 'block-none': [0.3],
    });
  });

  it('puts MoE layers where the name says', () => {
    expect(Object.keys(routers('block-switch'))).toEqual(['layer4.0']);
    expect(Object.keys(routers('conv-switch')).sort()).toEqual(['layer4.0.conv1', 'layer4.0.conv2', 'layer4.0.downsample.0']);
  });
});
