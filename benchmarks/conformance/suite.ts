// Entry of the bundle: starts one engine, runs the specs of tfjs-core on it and writes what became of each. Its argument is a SuiteRequest.
import { writeFileSync } from 'node:fs';
import { useBackend } from '@moe/backend';
import { getBackend } from '@tensorflow/tfjs-core';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import jasmineCore from 'jasmine-core';
import type { SpecResult, SuiteRequest } from './run-suite.js';

const { engine, wasmPaths, filter, to } = JSON.parse(process.argv[2] ?? '') as SuiteRequest;
const env = jasmineCore.boot().getEnv();
const nameOf = (fullName: string): string => fullName.replace(` ${engine} {}`, '');

await useBackend(engine, { wasmPaths });
setTestEnvs([{ name: engine, backendName: engine, isDataSync: true }]);
// The specs read the list of engines while they are declared.
await import('@tensorflow/tfjs-core/dist/tests');

// Every group of specs restarts its engine behind our back.
env.beforeEach(async () => {
  if (getBackend() === engine) await useBackend(engine);
});

const results: SpecResult[] = [];
env.addReporter({
  specDone({ fullName, status, failedExpectations }) {
    const [failure] = failedExpectations;
    if (status !== 'excluded') results.push({ name: nameOf(fullName), passed: status === 'passed', skipped: status === 'pending', message: failure?.message ?? '', stack: failure?.stack ?? '' });
  },
});
env.configure({ random: false, specFilter: (spec) => nameOf(spec.getFullName()).includes(filter) });
await env.execute();
writeFileSync(to, JSON.stringify(results));
