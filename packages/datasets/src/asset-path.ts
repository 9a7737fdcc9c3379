import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Path of a file in this package's `assets`.
 *
 * @remarks
 * This file stands one folder below the package root, as everything in `dist` does, so one relative path serves sources and builds.
 */
export function assetPath(...parts: readonly string[]): string {
  // The CJS build has __dirname where import.meta is empty; ES modules have no __dirname.
  const here = typeof __dirname === 'string' ? __dirname : dirname(fileURLToPath(import.meta.url));
  return join(here, '..', 'assets', ...parts);
}
