import { defineConfig } from 'tsup';

/**
 * The one build of every published package: ESM and CJS with their types. The only place that names the bundler.
 *
 * @param {Record<string, string>} [entry] - entry points by output name; `{ index: 'src/index.ts' }` unless a package has subpaths.
 * @param {string[]} [external] - modules that are imported as they are written, beside the dependencies.
 */
export function packageConfig(entry = { index: 'src/index.ts' }, external = []) {
  return defineConfig({ entry, external, format: ['esm', 'cjs'], dts: true, sourcemap: true, treeshake: true, target: 'es2022', clean: true });
}
