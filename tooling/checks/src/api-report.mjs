// Compares each package's public types with `etc/<package>.api.md`; `--update` rewrites the reports.
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** Entry points of a package that have types: its `exports` that point to a d.ts. */
function entries(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return Object.entries(exports)
    .filter(([, target]) => target?.import?.types !== undefined)
    .map(([subpath, target]) => ({ subpath, types: join(folder, target.import.types) }));
}

/** @returns Names of the entry points whose report is out of date. */
export function checkApiReports(folder, { update = false } = {}) {
  const outdated = [];
  for (const { subpath, types } of entries(folder)) {
    const name = subpath === '.' ? basename(folder) : `${basename(folder)}-${subpath.slice(2).replaceAll('/', '-')}`;
    if (!existsSync(types)) throw new Error(`${types} is missing: run 'pnpm build' first.`);
    mkdirSync(join(folder, 'etc'), { recursive: true });
    const config = ExtractorConfig.prepare({
      packageJsonFullPath: resolve(folder, 'package.json'),
      configObjectFullPath: undefined,
      configObject: {
        projectFolder: resolve(folder),
        mainEntryPointFilePath: resolve(types),
        compiler: { overrideTsconfig: { compilerOptions: { module: 'ESNext', moduleResolution: 'bundler', target: 'ES2022', lib: ['ES2023', 'DOM'], strict: true, skipLibCheck: true, types: ['node'] }, files: [resolve(types)] } },
        apiReport: { enabled: true, reportFileName: `${name}.api.md`, reportFolder: resolve(folder, 'etc'), reportTempFolder: resolve(folder, 'temp') },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        messages: {
          compilerMessageReporting: { default: { logLevel: 'none' } },
          extractorMessageReporting: { default: { logLevel: 'none' } },
          tsdocMessageReporting: { default: { logLevel: 'none' } },
        },
      },
    });
    const result = Extractor.invoke(config, { localBuild: update, showVerboseMessages: false, messageCallback: (message) => (message.logLevel = 'none') });
    if (result.apiReportChanged && !update) outdated.push(name);
  }
  return outdated;
}
