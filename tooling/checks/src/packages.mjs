import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The published packages: folder and parsed manifest. */
export const PACKAGES = readdirSync(join(ROOT, 'packages'))
  .sort()
  .map((name) => ({ folder: join(ROOT, 'packages', name), manifest: JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8')) }));
