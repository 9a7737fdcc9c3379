import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnosis, type Evaluation, mergeEvaluations } from '@moe/attacks';
import { useBackend } from '@moe/backend';
import { mapInWorkers } from '@moe/backend/node';
import type { ReportSection } from '@moe/report';
import { readFileBounded, writeFileAtomic } from '@moe/core/node';
import { BroadcastChannel } from 'node:worker_threads';
import { attacksOf } from './attacks.js';
import { UsageError } from './flags.js';
import { chosenImages } from './load-data.js';
import type { Options, Settings } from './options.js';
import { picturesSection } from './pictures.js';
import { Progress } from './progress.js';
import runTask, { type Part, type Report, type Task, loadOnce } from './worker.js';

const SHARD = 16; // images; fewer make shorter waits at the end, more lose less to rows that leave their batch
const DIAGNOSIS = 'diagnosis';
/** Cost of the diagnosis in shards, roughly. */
const DIAGNOSIS_COST = 3;
const MAX_JSON_BYTES = 2 ** 28;

export const writeJson = (path: string, value: unknown): Promise<void> => writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);

async function readJson<T>(path: string): Promise<T | undefined> {
  const bytes = await readFileBounded('readJson', path, MAX_JSON_BYTES);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as T);
}

/** Makes the output folder, or finds that it holds a run of the same settings. */
async function openFolder(out: string, settings: Settings): Promise<void> {
  const path = join(out, 'config.json');
  const wanted = JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
  const earlier = await readJson<Record<string, unknown>>(path);
  if (earlier === undefined) return writeJson(path, settings);
  const differing = [...new Set([...Object.keys(wanted), ...Object.keys(earlier)])].filter((key) => JSON.stringify(wanted[key]) !== JSON.stringify(earlier[key]));
  if (differing.length > 0) throw new UsageError(`--out: ${out} holds a run with other settings of ${differing.join(', ')}. Choose another folder or remove this one.`);
}

async function expectOutputs({ model, data }: Awaited<ReturnType<typeof loadOnce>>): Promise<void> {
  const { inputs, shape } = await data.read([0]);
  const { tensor, tidy } = await import('@tensorflow/tfjs-core');
  const outputs = tidy(() => model.logits(tensor(inputs, [...shape])).shape[1]);
  if (outputs !== data.classNames.length) throw new UsageError(`--images has ${data.classNames.length} classes, the model ${outputs} outputs. Name them all, one a line, in a file for --classes.`);
}

/** Evaluation and diagnosis of a model, with pictures of what fooled it, continued where an earlier run stopped. */
export async function run({ settings, out, engine: wanted, threads }: Options, signal: AbortSignal): Promise<{ evaluation: Evaluation; diagnosis: Diagnosis; pictures: ReportSection | undefined }> {
  await openFolder(out, settings);
  const { engine } = await useBackend(wanted);
  const loaded = await loadOnce(settings, engine as Options['engine']);
  await expectOutputs(loaded);
  const shards = Math.ceil(chosenImages(settings, loaded.data.length).length / SHARD);
  const names = [DIAGNOSIS, ...Array.from({ length: shards }, (_, i) => `${i + 1}/${shards}`)];
  const diagnosisFile = join(out, 'diagnosis.json');
  const open = names.filter((name) => name !== DIAGNOSIS || !existsSync(diagnosisFile));
  const progress = new Progress(new Map(open.map((name) => [name, name === DIAGNOSIS ? DIAGNOSIS_COST : 1])));
  const channel = new BroadcastChannel(`evaluate-any-model ${process.pid}`);
  const tell = ({ task, fraction, text }: Report): void => progress.update(task, fraction, text);
  channel.addEventListener('message', (event) => tell((event as unknown as { data: Report }).data));
  const tasks = open.map((name): Task => ({
    settings,
    engine: engine as Options['engine'],
    state: join(out, 'state', `${name.replace('/', '-of-')}.json`),
    shard: name === DIAGNOSIS ? undefined : name,
    channel: channel.name,
  }));
  try {
    const parts = engine === 'tensorflow' || threads === 1 ? await inThisThread(tasks, signal, tell) : await mapInWorkers<Task, Part>(new URL('worker.ts', import.meta.url), tasks, { threads, signal });
    const diagnosis = parts.find((part) => part.diagnosis !== undefined)?.diagnosis ?? (await readJson<Diagnosis>(diagnosisFile))!;
    await writeJson(diagnosisFile, diagnosis);
    const evaluation = mergeEvaluations(parts.flatMap((part) => part.evaluation ?? []));
    return { evaluation, diagnosis, pictures: await picturesSection({ evaluation, model: loaded.model.logits, data: loaded.data, attacks: attacksOf(settings) }) };
  } finally {
    channel.close();
    progress.stop();
  }
}

/** The engine `tensorflow` has threads of its own. */
async function inThisThread(tasks: readonly Task[], signal: AbortSignal, tell: (report: Report) => void): Promise<Part[]> {
  const parts: Part[] = [];
  for (const task of tasks) parts.push(await runTask(task, signal, tell));
  return parts;
}
