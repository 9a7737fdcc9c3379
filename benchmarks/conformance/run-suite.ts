import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineName } from '@moe/backend';
import { bundleSuite, wasmPaths } from './bundle.js';

/** What the process that runs the specs is asked for. */
export interface SuiteRequest {
  readonly engine: EngineName;
  /** Folder of the engine's `.wasm` files, ending in `/`. */
  readonly wasmPaths: string;
  /** Only specs whose name contains it. */
  readonly filter: string;
  /** File for the {@link SpecResult}s. */
  readonly to: string;
}

/** What became of one spec. */
export interface SpecResult {
  /** Full name of the spec without the engine's. A few specs share theirs. */
  readonly name: string;
  readonly passed: boolean;
  /** Marked by its authors as not to be run. */
  readonly skipped: boolean;
  /** Of the first failed expectation; empty if none failed. */
  readonly message: string;
  readonly stack: string;
}

/**
 * Runs the specs of tfjs-core on one engine, in a process of its own, which an engine may bring down.
 *
 * @throws Error with the end of its output, if the process dies before it has a result.
 */
export async function runSuite(engine: EngineName, filter = ''): Promise<SpecResult[]> {
  const folder = await mkdtemp(join(tmpdir(), 'moe-conformance-'));
  try {
    const bundle = join(folder, 'suite.mjs');
    const to = join(folder, 'results.json');
    await bundleSuite(bundle);
    const { code, output } = await run(bundle, { engine, wasmPaths, filter, to });
    if (code !== 0) throw new Error(`conformance: the specs on '${engine}' ended with exit code ${code}.\n${output.slice(-4000)}`);
    return JSON.parse(await readFile(to, 'utf8')) as SpecResult[];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(bundle: string, request: SuiteRequest): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bundle, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
