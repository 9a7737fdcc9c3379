import { writeFile } from 'node:fs/promises';
import type { EngineName } from '@moe/backend';
import { findTensorflow } from '@moe/backend/node';
import type { Benchmark } from '../benchmark.js';
import { IGNORED_ON_TENSORFLOW } from './ignored/tensorflow.js';
import type { Ignored } from './ignored/ignored.js';
import { type SpecResult, runSuite } from './run-suite.js';

/** Engines that can be read synchronously, as the specs do. */
type Engine = Exclude<EngineName, 'webgpu'>;

/** How many of the 4,230 specs may do anything but pass, and which are known to. */
const BARS: Readonly<Record<Engine, { notPassed: number; ignored: readonly Ignored[] }>> = {
  tensorflow: { notPassed: 40, ignored: IGNORED_ON_TENSORFLOW },
  wasm: { notPassed: 80, ignored: [] },
  cpu: { notPassed: 5, ignored: [] },
};

/** What differs from the list of specs that are known to fail, one line each. */
function surprises(results: readonly SpecResult[], ignored: readonly Ignored[]): string[] {
  const listed = new Set(ignored.flatMap(({ specs }) => specs));
  const failures = new Map(results.filter(({ passed, skipped }) => !passed && !skipped).map(({ name, message }) => [name, message]));
  const ran = new Set(results.map(({ name }) => name));
  return [
    ...[...failures].filter(([name]) => !listed.has(name)).map(([name, message]) => `fails and is not listed: ${name}\n    ${message.split('\n')[0]}`),
    ...[...listed].filter((name) => ran.has(name) && !failures.has(name)).map((name) => `is listed and passes: ${name}`),
  ];
}

/** The specs that TensorFlow.js wrote for its own engines, on ours. */
const conformance: Benchmark = async function* ({ engine, filter, failures }) {
  const engines: readonly Engine[] = engine !== undefined ? [engine] : findTensorflow() === undefined ? ['cpu', 'wasm'] : ['cpu', 'wasm', 'tensorflow'];
  const failed: object[] = [];
  for (const name of engines) {
    const results = await runSuite(name, filter);
    const { notPassed, ignored } = BARS[name];
    const passed = results.filter((result) => result.passed).length;
    const unexpected = surprises(results, ignored);
    for (const line of unexpected) console.error(`${name}: ${line}`);
    failed.push(...results.filter((result) => !result.passed && !result.skipped).map(({ name: spec, message, stack }) => ({ engine: name, spec, message, stack })));
    yield { name: `${name}/conformance/passed`, ours: passed, theirs: results.length, unit: 'specs' };
    yield { name: `${name}/conformance/not-passed`, ours: results.length - passed, theirs: notPassed, unit: 'specs', limit: 1 };
    yield { name: `${name}/conformance/unexpected`, ours: unexpected.length, theirs: results.length, unit: 'specs', limit: 0 };
  }
  if (failures !== undefined) await writeFile(failures, failed.map((failure) => `${JSON.stringify(failure)}\n`).join(''));
};

export default conformance;
