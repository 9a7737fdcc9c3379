import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const here = (file: string): string => join(import.meta.dirname, file);

interface Results {
  readonly records: readonly { readonly seed: number; readonly autoAttack: number; readonly worstCase: number }[];
}

it('trains and attacks, tiny', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', here('main.ts'), '100', '2'], { timeout: 200_000 });
  expect(stdout).toMatch(/^seed .*\n +1( +\d+\.0){6}\n$/);
});

it('says in its README what the results say: attacks on routing fool what AutoAttack does not, at every seed', async () => {
  const [readme, results] = await Promise.all([readFile(here('README.md'), 'utf8'), readFile(here('results/three-seeds.json'), 'utf8')]);
  const { records } = JSON.parse(results) as Results;
  expect(records).toHaveLength(3);
  for (const record of records) {
    const { seed, ...shares } = record;
    expect(readme).toContain(`| ${seed} | ${Object.values(shares).map((share) => (100 * share).toFixed(1)).join(' | ')} |`);
    expect(record.worstCase).toBeLessThan(record.autoAttack);
  }
});
