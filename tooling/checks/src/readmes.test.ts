// Runs every `ts` block of every README as a module of its own, as a reader would paste it.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGES, ROOT } from './packages.mjs';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..', '.cache');

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readmes = ['README.md', ...PACKAGES.map(({ folder }) => join(relative(ROOT, folder), 'README.md'))];

describe.each(readmes)('%s', (readme) => {
  const blocks = [...readFileSync(join(ROOT, readme), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!);

  it('has an example', () => expect(blocks.length).toBeGreaterThan(0));

  it.each(blocks.map((code, i) => [i + 1, code] as const))('block %i runs as printed', async (i, code) => {
    const file = join(folder, `${readme.replaceAll('/', '-')}-${i}.ts`);
    writeFileSync(file, code);
    await run(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', file], { cwd: folder, timeout: 120_000 });
  });
});
