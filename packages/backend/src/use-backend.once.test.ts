import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { backend, getBackend, getKernel, memory, tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeBackend, describeKernels } from './describe-backend.js';
import { useBackend } from './use-backend.js';

/** Runs a few lines in a fresh process, where no engine has been started yet. */
function run(lines: string): string {
  const source = new URL('./index.ts', import.meta.url).href;
  const script = `import { describeBackend, useBackend } from ${JSON.stringify(source)};\n${lines}`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  return execFileSync(process.execPath, ['--conditions=@moe/source', '--import', 'tsx', '--input-type=module', '-e', script], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** Why `'auto'` passes over TensorFlow, which is hidden from this file; `node/tensorflow.once.test.ts` is about it. */
const NOT_INSTALLED = { engine: 'tensorflow', reason: "useBackend: the engine 'tensorflow' is not installed. Run `npx moe-backend install tensorflow`." };

/** Why `'auto'` passes over WebGPU. */
const NOT_BY_ITSELF = { engine: 'webgpu', reason: expect.stringContaining("'auto' does not choose the engine 'webgpu'") as string };

beforeAll(() => {
  process.env.XDG_CACHE_HOME = '/nowhere';
});

describe('useBackend', () => {
  it('takes the fastest engine and says which', async () => {
    expect(await useBackend('auto')).toEqual({ engine: 'wasm', tfjs: '4.22.0', simd: true, threads: 1, passedOver: [NOT_INSTALLED, NOT_BY_ITSELF] });
    expect(describeBackend()).toEqual({ engine: 'wasm', tfjs: '4.22.0', simd: true, threads: 1 });
  });

  it('starts the engine that it is asked for, and changes back', async () => {
    expect((await useBackend('cpu')).engine).toBe('cpu');
    expect(getBackend()).toBe('cpu');
    expect((await useBackend('wasm')).engine).toBe('wasm');
  });

  it('does the same when called twice: same kernels, same engine, no tensors', async () => {
    await useBackend('wasm');
    const [kernel, engine, tensors] = [getKernel('Conv2D', 'wasm'), backend(), memory().numTensors];
    await useBackend('wasm');
    expect(getKernel('Conv2D', 'wasm')).toBe(kernel);
    expect(backend()).toBe(engine);
    expect(memory().numTensors).toBe(tensors);
  });

  it('refuses unknown engines and options, before anything is started', async () => {
    await expect(useBackend('webgl' as 'wasm')).rejects.toThrow("useBackend: name must be one of 'auto', 'tensorflow', 'webgpu', 'wasm', 'cpu', got 'webgl'.");
    await expect(useBackend('wasm', { wasmPath: '/x/' } as object)).rejects.toThrow("unknown option 'wasmPath'. Did you mean 'wasmPaths'?");
  });

  it('throws with the remedy if the files of the engine are not there, and stays on the engine that ran', () => {
    const lines = "await useBackend('cpu'); try { await useBackend('wasm', { wasmPaths: '/nowhere/' }); } catch (error) { console.log(error.code, error.message, '|', describeBackend().engine); }";
    expect(run(lines)).toMatch(/^BACKEND useBackend: the engine 'wasm' did not start\. .*wasmPaths.*\| cpu$/);
  });

  it('says how to install an engine that is not there', async () => {
    await expect(useBackend('tensorflow')).rejects.toThrow(NOT_INSTALLED.reason);
    await expect(useBackend('tensorflow', { threads: 0 })).rejects.toThrow('useBackend: threads must be an integer in [1, 1024], got 0.');
  });

  it("goes on to the next engine under 'auto', and says why", () => {
    const { engine, passedOver } = JSON.parse(run("console.log(JSON.stringify(await useBackend('auto', { wasmPaths: '/nowhere/' })));")) as Awaited<ReturnType<typeof useBackend>>;
    expect(engine).toBe('cpu');
    expect(passedOver).toEqual([NOT_INSTALLED, NOT_BY_ITSELF, { engine: 'wasm', reason: expect.stringContaining('did not start') as string }]);
  });

  it('leaves it to the program how it dies', () => {
    const lines = "const own = () => {}; process.on('unhandledRejection', own); await useBackend('wasm'); console.log(['uncaughtException', 'unhandledRejection'].map((event) => process.listenerCount(event)).join());";
    expect(run(lines)).toBe('0,1');
  });

  it('leaves tensors of another engine usable', async () => {
    await useBackend('cpu');
    const x = tensor([1, 2, 3]);
    await useBackend('wasm');
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
    x.dispose();
  });
});

describe('describeKernels', () => {
  it('knows no missing kernel on wasm', async () => {
    await useBackend('wasm');
    const kernels = describeKernels();
    expect(Object.entries(kernels).filter(([, source]) => source === 'missing')).toEqual([]);
    expect(kernels.Conv2DBackpropFilter).toBe('ours');
    expect(kernels.Relu).toBe('native');
  });

  it('calls nothing ours on cpu', () => {
    expect(Object.values(describeKernels('cpu'))).not.toContain('ours');
  });
});
