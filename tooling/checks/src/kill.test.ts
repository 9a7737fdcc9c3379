// A run that is killed twenty times, at moments that a seed draws, ends with the bits of one that nobody killed, on wasm.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRng } from '@moe/core';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Kills in all; `MOE_KILLS=200 pnpm test tooling/checks/src/kill.test.ts` looks longer. */
const KILLS = Number(process.env['MOE_KILLS'] ?? 20);
/** Runs side by side. */
const CHAINS = 2;

const folder = mkdtempSync(join(tmpdir(), 'moe-kill-'));
const program = join(folder, 'program.mjs');
const wasmPaths = join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm')), '/');
afterAll(() => rmSync(folder, { recursive: true }));

/** CommonJS names that the bundled engine uses. */
const COMMONJS = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;";

// One file starts in a fraction of the time that the sources take.
beforeAll(() =>
  build({
    entryPoints: [fileURLToPath(new URL('killable-run.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    conditions: ['@moe/source'],
    external: ['koffi', '@tensorflow/tfjs-node-gpu', 'webgpu'],
    banner: { js: COMMONJS },
    logLevel: 'error',
  }),
);

/** Starts the program; resolves to what it printed, or to the signal that ended it. */
async function run(path: string, modelSeed: number, killAt: number): Promise<{ readonly output: string; readonly signal: NodeJS.Signals | null }> {
  const child = spawn(process.execPath, [program, path, String(modelSeed), String(killAt), wasmPaths], { env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'cache') }, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text) => (output += String(text)));
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { output, signal };
}

describe('a run on wasm', () => {
  it(`goes on after SIGKILL to the very bits of a run that nobody killed, ${KILLS} times`, async () => {
    const whole = join(folder, 'whole');
    const points = Number((await run(whole, 1, 0)).output);
    const kills = KILLS / CHAINS;
    // All calls together pass fewer points than a run has, so none of them can end it.
    const furthest = Math.floor((1.6 * points) / kills);
    const chain = async (index: number): Promise<void> => {
      const path = join(folder, `killed-${index}`);
      const moments = Array.from(createRng(index).integers(kills, furthest), (moment) => moment + 1);
      expect(moments.reduce((total, moment) => total + moment, 0)).toBeLessThan(points);
      for (const [call, moment] of moments.entries()) {
        // With a checkpoint, models start elsewhere, so that it alone can bring the weights.
        const { output, signal } = await run(path, existsSync(path) ? 99 + call : 1, moment);
        expect({ signal, output }, `chain ${index}, call ${call}, point ${moment}`).toEqual({ signal: 'SIGKILL', output: '' });
      }
      const { output } = await run(path, 98, 0);
      expect(Number(output), 'points that the last call had left').toBeLessThan(points);
      expect(readFileSync(path).equals(readFileSync(whole)), `chain ${index}`).toBe(true);
    };
    await Promise.all(Array.from({ length: CHAINS }, (_, index) => chain(index + 1)));
  });
});
