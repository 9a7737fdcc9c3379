import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('gradients', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'moe-core-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are still registered by the built package, whose bundler drops what it takes for pure', async () => {
    await build({ entry: { index: join(import.meta.dirname, 'index.ts') }, outDir: folder, format: ['esm', 'cjs'], treeshake: true, target: 'es2022', external: [/^@tensorflow\//], silent: true, config: false });
    for (const file of ['index.js', 'index.cjs']) expect(readFileSync(join(folder, file), 'utf8')).toMatch(/(import|require\() ?['"]@tensorflow\/tfjs-layers['"]/);
  });
});
