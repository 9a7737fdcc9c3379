// WebGPU in Node on a program that stands in for a GPU, in processes of their own: the Vulkan loader reads its environment when it is loaded.
import '@moe/testing';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../use-backend.js';
import { lossAndGradients, trainingLosses } from './small-network.js';

/** SwiftShader and a Vulkan loader, as Debian's package `chromium` has them; another driver can be named in the environment. */
const DRIVER = process.env.VK_ICD_FILENAMES ?? '/usr/lib/chromium/vk_swiftshader_icd.json';
const hasDriver = process.platform === 'linux' && existsSync(DRIVER);

const INDEX = new URL('../index.ts', import.meta.url).href;
const NETWORK = new URL('./small-network.ts', import.meta.url).href;

/** Runs a few lines in a fresh process and returns what they print. */
function run(lines: string, driver = DRIVER): string {
  const script = `import { describeBackend, describeKernels, useBackend } from ${JSON.stringify(INDEX)};\n${lines}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', '--input-type=module', '--expose-gc', '-e', script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: [dirname(driver), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') },
    encoding: 'utf8',
    timeout: 120_000,
  });
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

const messageOf = (lines: string): string => `try { ${lines} } catch (error) { console.log(error.code, error.message); }`;

// Without a Vulkan driver there is no adapter to run on.
describe.skipIf(!hasDriver)(`useBackend('webgpu') on the Vulkan driver ${DRIVER}`, () => {
  beforeAll(async () => {
    await useBackend('cpu');
  });

  it('says on what it runs, has every kernel that training needs, and lets the process end', () => {
    const lines = "await useBackend('webgpu'); console.log(JSON.stringify([describeBackend(), Object.values(describeKernels())]));";
    const [description, kernels] = JSON.parse(run(lines)) as [object, string[]];
    expect(description).toEqual({ engine: 'webgpu', tfjs: '4.22.0', simd: false, threads: 1, adapter: { name: expect.stringMatching(/\w/) as string, software: expect.any(Boolean) as boolean } });
    expect(kernels).not.toContain('missing');
  });

  it('computes a loss and its gradients as the cpu engine does, and keeps no tensor', async () => {
    const lines = `
      import { memory } from '@tensorflow/tfjs-core';
      import { lossAndGradients } from ${JSON.stringify(NETWORK)};
      await useBackend('webgpu');
      const results = lossAndGradients();
      const values = await Promise.all(results.map(async (t) => Array.from(await t.data())));
      results.forEach((t) => t.dispose());
      console.log(JSON.stringify({ values, kept: memory().numTensors }));`;
    const { values, kept } = JSON.parse(run(lines)) as { values: number[][]; kept: number };
    const expected = lossAndGradients();
    expect(kept).toBe(0);
    expect(values).toHaveLength(expected.length);
    expected.forEach((t, i) => {
      expect(values[i]).toBeAllClose(Array.from(t.dataSync()), { rtol: 1e-4, atol: 1e-6 });
      t.dispose();
    });
  });

  it('trains a stock LayersModel to the losses of the cpu engine', async () => {
    const lines = `
      import { trainingLosses } from ${JSON.stringify(NETWORK)};
      await useBackend('webgpu');
      console.log(JSON.stringify(await trainingLosses()));`;
    const losses = JSON.parse(run(lines)) as number[];
    expect(losses).toBeAllClose(await trainingLosses(), { rtol: 1e-4 });
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });

  it('outlives garbage collections', () => {
    const lines = `
      import { add, ones, square } from '@tensorflow/tfjs-core';
      await useBackend('webgpu');
      for (let i = 0; i < 10; i++) { gc(); await square(ones([8])).data(); }
      console.log((await add(ones([2]), 1).data()).join());`;
    expect(run(lines)).toBe('2,2');
  });

  it('refuses to be read synchronously, with the remedy, but not what the host knows', () => {
    const lines = `
      import { square, tensor1d } from '@tensorflow/tfjs-core';
      await useBackend('webgpu');
      const [x, y] = [tensor1d([1, 2]), square(tensor1d([1, 2]))];
      console.log(x.dataSync().join());
      ${messageOf('y.dataSync()')}
      await y.data();
      console.log(y.dataSync().join());`;
    expect(run(lines)).toMatch(/^1,2\nBACKEND dataSync: the engine 'webgpu' cannot be read synchronously\. .*await tensor\.data\(\).*'wasm'\.\n1,4$/);
  });
});

describe("useBackend('webgpu')", () => {
  // Only on Linux can the loader be told to find no driver.
  it.skipIf(process.platform !== 'linux')('says that there is no GPU, and stays on the engine that ran', () => {
    const lines = `await useBackend('cpu'); ${messageOf("await useBackend('webgpu')")} console.log(describeBackend().engine);`;
    expect(run(lines, '/nowhere/icd.json')).toMatch(/BACKEND useBackend: the engine 'webgpu' finds no GPU\. On Linux install .*\ncpu$/);
  });

  it.each(['webgpu', '@tensorflow/tfjs-backend-webgpu'])('says how to install the package %s', (missing) => {
    const hook = `export const resolve = (name, context, next) => { if (name === '${missing}') throw new Error('not found'); return next(name, context); };`;
    const lines = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)}); ${messageOf("await useBackend('webgpu')")}`;
    expect(run(lines)).toMatch(new RegExp(`^BACKEND useBackend: the engine 'webgpu' needs the package '${missing}'.*\`npm install [^\`]*${missing}`));
  });
});
