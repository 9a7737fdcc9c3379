// pnpm bench NAME [--quick] [--json]
import { parseArgs } from 'node:util';
import { enableProdMode } from '@tensorflow/tfjs-core';
import type { Benchmark, BenchmarkOptions, MeasuredRow } from './benchmark.js';

/** Options that not every benchmark takes. */
type Extra = 'engine' | 'filter' | 'failures';

const BENCHMARKS: Readonly<Record<string, { summary: string; takes?: readonly Extra[]; load: () => Promise<{ default: Benchmark }> }>> = {
  attacks: { summary: 'PGD against the passes that it makes, AutoAttack against the original in $MOE_BENCH_PYTHON', takes: ['engine', 'filter'], load: () => import('./attacks/index.js') },
  attackbench: {
    summary: 'attacks for the nearest misclassified point against foolbox and adv-lib in $MOE_BENCH_PYTHON',
    takes: ['engine'],
    load: () => import('./attackbench/index.js'),
  },
  backend: { summary: 'gradients, matrix products and a training step on the wasm engine', load: () => import('./backend/index.js') },
  cluster: { summary: 'the exchange of gradients between two processes, on the engine tensorflow', load: () => import('./cluster/index.js') },
  conformance: {
    summary: "tfjs-core's own specs on every engine: which pass",
    takes: ['engine', 'filter', 'failures'],
    load: () => import('./conformance/index.js'),
  },
  dispatch: { summary: 'an MoE layer against one expert over the same rows, on wasm and tensorflow', takes: ['engine'], load: () => import('./dispatch/index.js') },
  layers: { summary: 'ResNet-18 and a vision transformer with experts against the dense networks', takes: ['engine'], load: () => import('./layers/index.js') },
  leaks: { summary: 'what 10,000 steps on the engine tensorflow leave behind', takes: ['filter'], load: () => import('./leaks/index.js') },
  lipschitz: { summary: 'LipSDP against cvxpy, singular values against NumPy in $MOE_BENCH_PYTHON, smoothing against bare passes', load: () => import('./lipschitz/index.js') },
  pytorch: { summary: 'the engine tensorflow against PyTorch in $MOE_BENCH_PYTHON', load: () => import('./pytorch/index.js') },
  stock: { summary: 'a LayersModel on the engine tensorflow against the kernels and gradients of tfjs alone', load: () => import('./stock/index.js') },
  train: { summary: 'adversarial training on the engine tensorflow against PyTorch in $MOE_BENCH_PYTHON', load: () => import('./train/index.js') },
};

const HELP = `pnpm bench NAME [--quick] [--json]

Measures one thing against another in the same run and says whether the bar holds.

${Object.entries(BENCHMARKS).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`).join('\n')}

  --quick      fewer rounds; about a minute
  --json       one object a line: {"name","ours","theirs","unit","ratio","limit","holds"}, and "conditions" against another program
  --help       this text

attacks, attackbench, dispatch, layers, conformance:
  --engine NAME    wasm, tensorflow or, for conformance, cpu; all that work here by default

conformance:
  --filter TEXT    only specs whose name contains it; of leaks, subjects; of attacks, 'pgd', 'batch', or names of comparisons with the original
  --failures FILE  writes the specs that fail, one JSON object a line

Exit code: 0 all bars hold, 1 a bar does not hold, 2 wrong arguments.`;

const ENGINES: readonly string[] = ['cpu', 'wasm', 'tensorflow'] satisfies BenchmarkOptions['engine'][];

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  engine: { type: 'string' },
  filter: { type: 'string' },
  failures: { type: 'string' },
} as const;

function refuse(message: string): never {
  console.error(`bench: ${message}\n\n${HELP}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const significant = (value: number): string => Number(value.toPrecision(4)).toString();

function show({ name, ours, theirs, unit, limit }: MeasuredRow): string {
  const ratio = ours / theirs;
  const bar = limit === undefined ? '' : `${ratio <= limit ? 'holds' : 'FAILS'} (limit ${limit})`;
  return `${name.padEnd(52)} ${significant(ours).padStart(10)} ${significant(theirs).padStart(10)} ${unit.padEnd(12)} ${significant(ratio).padStart(8)}  ${bar}`;
}

const { values, positionals } = readArguments();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const [name, ...rest] = positionals;
if (name === undefined || rest.length > 0) refuse('give the name of one benchmark.');
const benchmark = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name]! : refuse(`no benchmark is called '${name}'.`);
const { quick, json, engine, filter, failures } = values;
for (const [option, value] of Object.entries({ engine, filter, failures })) {
  if (value !== undefined && !benchmark.takes?.includes(option as Extra)) refuse(`'${name}' takes no --${option}.`);
}
if (engine !== undefined && !ENGINES.includes(engine)) refuse(`no engine is called '${engine}'.`);

enableProdMode();
if (!json) console.log(`${'name'.padEnd(52)} ${'ours'.padStart(10)} ${'theirs'.padStart(10)} ${'unit'.padEnd(12)} ${'ratio'.padStart(8)}`);
const { default: measure } = await benchmark.load();
for await (const row of measure({ quick, engine: engine as BenchmarkOptions['engine'], filter, failures })) {
  const { name: rowName, ours, theirs, unit, limit, conditions } = row;
  const ratio = ours / theirs;
  const holds = limit === undefined || ratio <= limit;
  if (!holds) process.exitCode = 1;
  console.log(json ? JSON.stringify({ name: rowName, ours, theirs, unit, ratio, limit: limit ?? null, holds, conditions }) : show(row));
}
