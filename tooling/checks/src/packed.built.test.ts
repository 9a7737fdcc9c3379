// Packs every package and uses the tarballs in an empty project outside the workspace, from ESM, CJS and TypeScript.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGES } from './packages.mjs';

const exec = promisify(execFile);
const project = mkdtempSync(join(tmpdir(), 'moe-packed-'));
const tarballs = join(project, 'tarballs');
const run = (command: string, args: string[], cwd: string) => exec(command, args, { cwd, timeout: 280_000 });

interface Manifest {
  name: string;
  exports: Record<string, unknown>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

const manifests = PACKAGES.map(({ manifest }) => manifest as Manifest);
/** Every module that a user may import, `@moe/x/testing` aside: it needs a test runner. */
const specifiers = manifests.flatMap(({ name, exports }) =>
  Object.keys(exports)
    .filter((subpath) => subpath !== './package.json' && subpath !== './testing' && !subpath.includes('*'))
    .map((subpath) => name + subpath.slice(1)),
);

const engineCheck = `
await useBackend('wasm');
const logits = (x) => matMul(x, tensor2d([[1, -1], [-1, 1]]));
const { adversarial, success } = pgd({ eps: 0.2, steps: 5 }).perturb(logits, tensor2d([[0.6, 0.5]]), tensor1d([0], 'int32'), { rng: createRng(1) });
if (success.dataSync()[0] !== 1) throw new Error('the attack must succeed: ' + adversarial.dataSync());
console.log('attacked on', getBackend());`;
const names: Record<string, string> = {
  '@moe/backend': 'useBackend',
  '@moe/attacks': 'pgd',
  '@moe/core': 'createRng',
  '@tensorflow/tfjs-core': 'getBackend, matMul, tensor1d, tensor2d',
};

beforeAll(async () => {
  mkdirSync(tarballs);
  for (const { folder } of PACKAGES) await run('pnpm', ['pack', '--pack-destination', tarballs], folder);
  const files = readdirSync(tarballs);
  const tarball = Object.fromEntries(manifests.map(({ name }) => [name, `file:${join(tarballs, files.find((file) => file.startsWith(name.slice(1).replace('/', '-') + '-0'))!)}`]));
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'packed',
      private: true,
      dependencies: { ...tarball, '@tensorflow/tfjs-core': '4.22.0', '@tensorflow/tfjs-layers': '4.22.0' },
      devDependencies: { typescript: '5.9.3', '@types/node': '^20.19.0' },
      pnpm: { overrides: tarball, onlyBuiltDependencies: [] },
    }),
  );
  await run('pnpm', ['install', '--prefer-offline', '--ignore-workspace', '--no-frozen-lockfile', '--ignore-scripts'], project);
}, 300_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the packed packages', () => {
  it('run from ESM', async () => {
    const imports = Object.entries(names).map(([from, what]) => `import { ${what} } from '${from}';`);
    const all = specifiers.map((specifier) => `if (Object.keys(await import('${specifier}')).length === 0) throw new Error('${specifier} exports nothing');`);
    writeFileSync(join(project, 'esm.mjs'), [...imports, ...all, engineCheck].join('\n'));
    expect((await run('node', ['esm.mjs'], project)).stdout).toContain('attacked on wasm');
  });

  it('run from CommonJS', async () => {
    const requires = Object.entries(names).map(([from, what]) => `const { ${what} } = require('${from}');`);
    const all = specifiers.map((specifier) => `if (Object.keys(require('${specifier}')).length === 0) throw new Error('${specifier} exports nothing');`);
    writeFileSync(join(project, 'cjs.cjs'), [...requires, ...all, `(async () => {${engineCheck}\n})().catch((error) => { console.error(error); process.exit(1); });`].join('\n'));
    expect((await run('node', ['cjs.cjs'], project)).stdout).toContain('attacked on wasm');
  });

  it.each(['bundler', 'nodenext'])('have types under module resolution %s', async (resolution) => {
    const lines = specifiers.map((specifier, i) => `import * as m${i} from '${specifier}';\nexport type K${i} = keyof typeof m${i};`);
    lines.push(`import { type Attack } from '@moe/core';\nimport { pgd } from '@moe/attacks';\nexport const attack: Attack = pgd({ eps: 0.1, steps: 2 });`, `// @ts-expect-error: eps has no default\npgd({ steps: 2 });`);
    writeFileSync(join(project, 'types.mts'), lines.join('\n'));
    const module = resolution === 'bundler' ? 'esnext' : 'nodenext';
    await run('npx', ['tsc', '--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', module, '--moduleResolution', resolution, '--skipLibCheck', '--types', 'node', 'types.mts'], project);
  });
});
