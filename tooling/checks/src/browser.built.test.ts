// Bundles the built packages for browsers and runs an attack on a routed model in headless Chromium, where one is installed.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { PACKAGES } from './packages.mjs';

const folder = join(mkdtempSync(join(tmpdir(), 'moe-browser-')));
const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
const names = PACKAGES.map(({ manifest }) => (manifest as { name: string }).name);

const PROGRAM = `
import { pgd } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { createRng } from '@moe/core';
import { logitsFn, moeModel, resnet } from '@moe/layers';
import { gapFc, topKRouter } from '@moe/router';
import { conv2d, grads, square, sum, tensor1d, tensor4d } from '@tensorflow/tfjs-core';

async function gradients() {
  const all = grads((x, filter) => sum(square(conv2d(x, filter, 2, 'same'))))([tensor4d(createRng(1).normal(216), [2, 6, 6, 3]), tensor4d(createRng(2).normal(108), [3, 3, 3, 4])]);
  return (await Promise.all(all.map((t) => t.data()))).flatMap((values) => Array.from(values));
}

async function run() {
  const { engine, simd } = await useBackend('wasm', { wasmPaths: '/wasm/' });
  const router = topKRouter({ numExperts: 2, topK: 1, gate: gapFc() });
  const network = resnet({ depth: 10, width: 4, stem: 'cifar', classes: 3, inputShape: [8, 8, 1], seed: 1, moe: { at: 'layer4', kind: 'block', router } });
  const images = tensor4d(createRng(1).uniform(256), [4, 8, 8, 1]);
  const { loss } = pgd({ eps: 0.1, steps: 3, goal: 'maxLoss' }).perturb(logitsFn(moeModel(network)), images, tensor1d([0, 1, 2, 0], 'int32'), { rng: createRng(2) });
  return { engine, simd, loss: Array.from(loss.dataSync()), gradients: await gradients() };
}

async function runOnGpu() {
  const { engine, adapter } = await useBackend('webgpu');
  let refusal;
  try {
    square(tensor1d([1])).dataSync();
  } catch (error) {
    refusal = error.code;
  }
  return { engine, adapter, refusal, gradients: await gradients() };
}
`;

let server: Server;
let browser: ChildProcess | undefined;

afterAll(async () => {
  if (browser?.pid !== undefined && browser.exitCode === null) {
    const ended = new Promise((resolve) => browser!.once('exit', resolve));
    process.kill(-browser.pid, 'SIGKILL'); // the whole group: Chromium's children outlive it and go on writing to the profile
    await ended;
  }
  server?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

const bundle = (contents: string, name: string) =>
  build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, format: 'esm', platform: 'browser', splitting: true, outdir: join(folder, name), logLevel: 'silent' });

describe('the built packages', () => {
  it('bundle for browsers: no main entry needs Node', async () => {
    const { errors } = await bundle(names.map((name, i) => `import * as m${i} from '${name}'; console.log(m${i});`).join('\n'), 'all');
    expect(errors).toEqual([]);
  });

  it.runIf(chromium !== undefined)('attack a routed model in a browser, with the numbers of Node, and compute gradients on WebGPU', async () => {
    const inPage = 'async () => ({ onWasm: await run(), onGpu: await runOnGpu() })';
    await bundle(`${PROGRAM}\n(${inPage})().then((results) => fetch('/done', { method: 'POST', body: JSON.stringify(results) }), (error) => fetch('/done', { method: 'POST', body: String(error.stack) }));`, 'page');
    const wasm = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm'));
    const types: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
    const done = new Promise<string>((resolve) => {
      server = createServer((request, response) => {
        const path = request.url ?? '/';
        if (request.method === 'POST') {
          let body = '';
          request.on('data', (chunk) => (body += String(chunk)));
          request.on('end', () => resolve(body));
          response.end();
        } else if (path === '/') response.setHeader('content-type', 'text/html').end('<script type="module" src="/page/stdin.js"></script>');
        else if (/^\/(page|wasm)\/[\w.-]+$/.test(path)) {
          response.setHeader('content-type', types[extname(path)] ?? 'text/plain').end(readFileSync(path.startsWith('/wasm/') ? join(wasm, path.slice(6)) : join(folder, path)));
        } else response.writeHead(404).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const profile = join(folder, 'profile');
    mkdirSync(profile);
    const quiet = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-breakpad'];
    const softwareGpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    browser = spawn(chromium!, [...quiet, ...softwareGpu, `--user-data-dir=${profile}`, address], { stdio: 'ignore', detached: true });
    const inBrowser = await done;
    expect(inBrowser).toMatch(/^\{"onWasm":\{"engine":"wasm","simd":true/);
    const { onWasm, onGpu } = JSON.parse(inBrowser) as { onWasm: { gradients: number[] }; onGpu: { gradients: number[] } };

    const inNode = spawnSync(process.execPath, ['--input-type=module', '-e', `${PROGRAM.replace("{ wasmPaths: '/wasm/' }", '{}')}\nconsole.log(JSON.stringify(await run()));`], { cwd: import.meta.dirname, encoding: 'utf8' });
    expect(inNode.stderr).toBe('');
    expect(onWasm).toEqual(JSON.parse(inNode.stdout));

    expect(onGpu).toMatchObject({ engine: 'webgpu', adapter: { software: true }, refusal: 'BACKEND' });
    expect(onGpu.gradients).toHaveLength(onWasm.gradients.length);
    onGpu.gradients.forEach((value, i) => expect(value).toBeCloseTo(onWasm.gradients[i]!, 3));
  });
});
