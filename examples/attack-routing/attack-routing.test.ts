import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const here = (file: string): string => join(import.meta.dirname, file);

interface Results {
  readonly records: readonly {
    readonly seed: number;
    readonly clean: number;
    readonly autoAttack: number;
    readonly routing: number;
    readonly worstCase: number;
    readonly overlooked: number;
    readonly leftAgain: number;
    readonly leftStraightThrough: number;
    readonly flipsWithinEps: number;
  }[];
}

it('trains and attacks, tiny', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', here('main.ts'), '100', '2'], { timeout: 200_000 });
  expect(stdout).toMatch(/^seed .*\n +1( +\d+\.0){4}( +\d+){3} +\d+\.0\n$/);
});

it('says in its README what the results say: attacks on routing fool what AutoAttack does not, at every seed', async () => {
  const [readme, results] = await Promise.all([readFile(here('README.md'), 'utf8'), readFile(here('results/three-seeds.json'), 'utf8')]);
  const { records } = JSON.parse(results) as Results;
  const percent = (share: number): string => (100 * share).toFixed(1);
  expect(records).toHaveLength(3);
  for (const { seed, clean, autoAttack, routing, worstCase, overlooked, leftAgain, leftStraightThrough, flipsWithinEps } of records) {
    const shares = [clean, autoAttack, routing, worstCase].map(percent);
    expect(readme).toContain(`| ${[seed, ...shares, overlooked, leftAgain, leftStraightThrough, percent(flipsWithinEps)].join(' | ')} |`);
    expect(worstCase).toBeLessThan(autoAttack);
  }
});
