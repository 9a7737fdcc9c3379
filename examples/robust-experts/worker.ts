// One process of the experiment: receives jobs from the main process, one at a time.
import { isMoeError } from '@moe/core';
import { auditModel } from './audit.js';
import { type Engine, startEngine } from './engine.js';
import { evaluatePath } from './evaluate-path.js';
import { type Job, jobName, stateOf } from './jobs.js';
import { legacyScores } from './legacy.js';
import type { Notice, Order } from './messages.js';
import { probeModel } from './probe.js';
import { noteTime } from './times.js';
import { type JobContext, trainModel } from './train-model.js';

let abort = new AbortController();
let engine: Promise<Engine> | undefined;

const tell = (notice: Notice): void => {
  process.send?.(notice);
};

function work(job: Job, context: JobContext): Promise<void> {
  switch (job.kind) {
    case 'train':
      return trainModel(job.model, context);
    case 'evaluate':
      return evaluatePath(job.model, job.path, context);
    case 'audit':
      return auditModel(job.model, context);
    case 'legacy':
      return legacyScores(job.model, context);
    case 'probe':
      return probeModel(job.model, context);
  }
}

async function run({ job, config, folder }: Order & { type: 'run' }): Promise<Notice> {
  abort = new AbortController();
  const context = {
    config,
    folder,
    signal: abort.signal,
    onProgress: (fraction: number, text: string) => tell({ type: 'progress', fraction, text }),
    log: (text: string) => tell({ type: 'log', text }),
  };
  try {
    engine ??= startEngine(config);
    tell({ type: 'engine', text: (await engine).text });
    const [wall, cpu] = [Date.now(), process.cpuUsage()];
    await work(job, context);
    const { user, system } = process.cpuUsage(cpu);
    await noteTime(folder, { job: jobName(job), cpuSeconds: (user + system) / 1e6, seconds: (Date.now() - wall) / 1000 });
    return { type: 'done' };
  } catch (error) {
    if (isMoeError(error, 'ABORTED')) return { type: 'aborted' };
    if (isMoeError(error, 'CHECKPOINT')) return { type: 'failed', message: `${error.message} Saved state: ${stateOf(folder, job)}; remove it to start this part again.`, expected: true };
    const expected = isMoeError(error) || (error as NodeJS.ErrnoException).code !== undefined;
    return { type: 'failed', message: expected ? (error as Error).message : String((error as Error).stack ?? error), expected };
  }
}

process.on('message', (order: Order) => {
  if (order.type === 'abort') abort.abort();
  else void run(order).then(tell);
});
// The main process decides when to stop; a terminal sends its interrupt to all of them.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
