// Checks of the built packages. `pnpm check [CHECK…] [--update]`; all checks when none is named. Run `pnpm build` first.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkApiReports } from './api-report.mjs';
import { PACKAGES, ROOT } from './packages.mjs';

const HERE = import.meta.dirname;
const update = process.argv.includes('--update');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

/** Runs a program; throws its output if it fails. */
function run(command, args, cwd = ROOT) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', TURBO_TELEMETRY_DISABLED: '1' } });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`);
}

const eachPackage = (check) => PACKAGES.map(({ folder, manifest }) => [manifest.name, () => check(folder, manifest)]);

function expect(holds, message) {
  if (!holds) throw new Error(message);
}

/** By name: a list of [subject, function that throws]. */
const CHECKS = {
  types: () => [['all', () => run('npx', ['tsc', '-p', 'tsconfig.json'])]],
  lint: () => [['all', () => run('npx', ['oxlint', '--deny-warnings'])]],
  boundaries: () => [['all', () => run('npx', ['turbo', 'boundaries'])]],
  unused: () => [['all', () => run('npx', ['knip'])]],
  publint: () => eachPackage((folder) => run('npx', ['publint', '--strict', folder], HERE)),
  // Subpaths need `exports`, which the resolution of Node 10 does not know.
  attw: () => eachPackage((folder) => run('npx', ['attw', '--profile', 'node16', '--pack', folder], HERE)),
  api: () =>
    eachPackage((folder) => {
      const outdated = checkApiReports(folder, { update });
      expect(outdated.length === 0, `etc/${outdated.join(', etc/')}.api.md no longer describes the public types: run 'pnpm api' and review the change.`);
    }),
  size: () => [['all', () => run('npx', ['size-limit'])]],
  manifest: () =>
    eachPackage((folder, manifest) => {
      for (const file of ['README.md', 'tsup.config.ts', 'tsconfig.json', 'turbo.json', 'src/index.ts']) expect(existsSync(join(folder, file)), `${basename(folder)}/${file} is missing.`);
      for (const field of ['description', 'license', 'repository', 'homepage', 'keywords', 'engines', 'files']) expect(manifest[field], `${basename(folder)}/package.json needs "${field}".`);
      expect(!Object.keys(manifest.scripts).some((name) => name.includes('install')), 'published packages have no install scripts.');
      const published = Object.keys(manifest.publishConfig.exports);
      expect(published.join() === Object.keys(manifest.exports).join(), 'exports and publishConfig.exports must list the same entry points.');
      expect(readFileSync(join(folder, 'README.md'), 'utf8').includes('## Example'), `${basename(folder)}/README.md needs an example.`);
    }),
};

const unknown = wanted.filter((name) => !(name in CHECKS));
if (unknown.length > 0) {
  console.error(`check: unknown check '${unknown[0]}'. Known: ${Object.keys(CHECKS).join(', ')}.`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
for (const name of wanted.length > 0 ? wanted : Object.keys(CHECKS)) {
  for (const [subject, check] of CHECKS[name]()) {
    try {
      check();
      passed++;
      console.log(`ok      ${name} ${subject}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name} ${subject}\n${error instanceof Error ? error.message : error}`);
    }
  }
}
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
