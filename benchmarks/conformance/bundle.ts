import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Plugin, build } from 'esbuild';

const ours = createRequire(import.meta.url);
/** `@moe/backend` brings the engines, so they are looked up from there. */
const engines = createRequire(import.meta.resolve('@moe/backend'));

/** What reads files beside itself stays outside. */
const outside: Plugin = {
  name: 'outside',
  setup({ onResolve }) {
    onResolve({ filter: /^koffi$/ }, () => ({ path: engines.resolve('koffi'), external: true }));
    onResolve({ filter: /^jasmine-core$/ }, () => ({ path: ours.resolve('jasmine-core'), external: true }));
  },
};

/** tfjs-core as ES modules has ES2015 classes, which the ES5 class of `@tensorflow/tfjs-node-gpu` cannot extend by calling them. */
const newFromES5: Plugin = {
  name: 'new-from-es5',
  setup({ onLoad }) {
    onLoad({ filter: /nodejs_kernel_backend\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace('_super.call(this) || this', 'Reflect.construct(_super, [], new.target)'),
    }));
  },
};

/** CommonJS names that the bundled packages use. */
const COMMONJS = `
import { createRequire as createRequireHere } from 'node:module';
const require = createRequireHere(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

/** Folder of the engine's `.wasm` files, ending in `/`; the bundle lies elsewhere. */
export const wasmPaths = join(dirname(engines.resolve('@tensorflow/tfjs-backend-wasm')), '/');

/**
 * Bundles the specs of tfjs-core with the engines around one copy of tfjs-core: the specs reach into its modules, and the engines must register with those.
 *
 * @param to - the file to write.
 */
export async function bundleSuite(to: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, 'suite.ts')],
    outfile: to,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    mainFields: ['module', 'main'],
    conditions: ['@moe/source'],
    // The package declares its test files free of side effects; they would be dropped.
    ignoreAnnotations: true,
    banner: { js: COMMONJS },
    plugins: [outside, newFromES5],
    logLevel: 'error',
  });
}
