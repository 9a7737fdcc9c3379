import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from './packages.mjs';

/** Builds every published package, or finds them built; once, before the tests of the vitest project `built`. */
export async function setup(): Promise<void> {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1' };
  await promisify(execFile)('npx', ['turbo', 'run', 'build', '--filter=./packages/*', '--output-logs=errors-only'], { cwd: ROOT, timeout: 280_000, env });
}
