import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, ModelName } from './schema.js';

/** How the inputs of an MoE layer find their expert: by its gate, or all through one. */
export type RoutePath = 'gated' | number;

/** What may be asked of a finished model besides its paths: AutoAttack and attacks on routing, train-mode AutoPGD, and what its gates do. */
const EXTRAS = ['audit', 'legacy', 'probe'] as const;
type Extra = (typeof EXTRAS)[number];

/** A piece of work that one process does from start to end, and continues if it was interrupted. */
export type Job = { readonly kind: 'train' | Extra; readonly model: ModelName } | { readonly kind: 'evaluate'; readonly model: ModelName; readonly path: RoutePath };

export const isDense = (model: ModelName): boolean => model === 'dense';

/** Paths that are attacked: the deployed model, and for an MoE every expert fixed in turn. */
export function pathsOf(config: Config, model: ModelName): RoutePath[] {
  return isDense(model) ? ['gated'] : ['gated', ...Array.from({ length: config.moe.numExperts }, (_, expert) => expert)];
}

/** For people: `gated`, `expert 2`. */
export const pathLabel = (path: RoutePath): string => (path === 'gated' ? 'gated' : `expert ${path}`);
const pathName = (path: RoutePath): string => (path === 'gated' ? 'gated' : `expert-${path}`);
export const jobName = (job: Job): string => (job.kind === 'evaluate' ? `attack ${job.model} ${isDense(job.model) ? '' : pathLabel(job.path)}`.trimEnd() : `${job.kind} ${job.model}`);

/** Files of a run, below its folder. */
export const files = {
  checkpoint: (folder: string, model: ModelName): string => join(folder, 'models', model, 'checkpoint.moe'),
  weights: (folder: string, model: ModelName): string => join(folder, 'models', model, 'weights.moe'),
  training: (folder: string, model: ModelName): string => join(folder, 'models', model, 'training.json'),
  board: (folder: string, model: ModelName): string => join(folder, 'models', model, 'board'),
  state: (folder: string, model: ModelName, path: RoutePath): string => join(folder, 'models', model, `${pathName(path)}.state.json`),
  evaluation: (folder: string, model: ModelName, path: RoutePath): string => join(folder, 'models', model, `${pathName(path)}.json`),
  extra: (folder: string, model: ModelName, extra: Extra): string => join(folder, 'models', model, `${extra}.json`),
  extraState: (folder: string, model: ModelName, extra: Extra | `audit-${string}`): string => join(folder, 'models', model, `${extra}.state.json`),
  times: (folder: string): string => join(folder, 'models', 'times.jsonl'),
  config: (folder: string): string => join(folder, 'config.json'),
  metrics: (folder: string): string => join(folder, 'metrics.jsonl'),
  results: (folder: string): string => join(folder, 'results.json'),
  report: (folder: string): string => join(folder, 'report.html'),
};

/** The file whose presence says that a job is finished. */
function outputOf(folder: string, job: Job): string {
  if (job.kind === 'train') return files.training(folder, job.model);
  return job.kind === 'evaluate' ? files.evaluation(folder, job.model, job.path) : files.extra(folder, job.model, job.kind);
}

/** The file from which an interrupted job continues. */
export function stateOf(folder: string, job: Job): string {
  if (job.kind === 'train') return files.checkpoint(folder, job.model);
  return job.kind === 'evaluate' ? files.state(folder, job.model, job.path) : files.extraState(folder, job.model, job.kind === 'audit' ? 'audit-*' : job.kind);
}

export const isFinished = (folder: string, job: Job): boolean => existsSync(outputOf(folder, job));

/** What the configuration asks for besides the paths. */
export const extrasOf = ({ evaluation }: Config): Extra[] => EXTRAS.filter((extra) => evaluation[extra] !== null);

/** All jobs, the longest chains first. */
export function jobsOf(config: Config): Job[] {
  const models = [...config.models].sort((a, b) => Number(isDense(a)) - Number(isDense(b)));
  return [
    ...models.map((model): Job => ({ kind: 'train', model })),
    ...models.flatMap((model) => pathsOf(config, model).map((path): Job => ({ kind: 'evaluate', model, path }))),
    ...models.flatMap((model) => extrasOf(config).map((kind): Job => ({ kind, model }))),
  ];
}

/** Whether the jobs it builds on are finished: the audit looks for the best expert in what every path withstood. */
export function isReady(config: Config, folder: string, job: Job): boolean {
  if (job.kind === 'train') return true;
  if (job.kind === 'audit') return pathsOf(config, job.model).every((path) => isFinished(folder, { kind: 'evaluate', model: job.model, path }));
  return isFinished(folder, { kind: 'train', model: job.model });
}

/** Passes of AutoAttack and of the attacks on routing on an image, as far as they go before it falls. */
const AUDIT_PASSES = { quick: 800, standard: 4000 };

/** Passes of telemetry on an image for the model, and for each expert. */
const TELEMETRY_PASSES = 44;

/** Rough cost of a job in forward passes of one image: a backward pass to the input costs one more, to the weights two. */
export function costOf(config: Config, job: Job): number {
  const { training, evaluation, data } = config;
  switch (job.kind) {
    case 'train':
      return training.epochs * (data.trainImages * (3 + (training.eps > 0 ? 2 * training.steps : 0)) + (training.telemetry ?? 0) * TELEMETRY_PASSES * (1 + config.moe.numExperts));
    case 'evaluate':
      return data.testImages * 2 * (evaluation.pgdSteps * (evaluation.bothStarts ? 2 : 1) + evaluation.apgdSteps);
    case 'audit':
      return evaluation.audit === null ? 0 : evaluation.audit.images * AUDIT_PASSES[evaluation.audit.autoAttack];
    case 'legacy':
      return evaluation.legacy === null ? 0 : evaluation.legacy.images * 2 * evaluation.apgdSteps * evaluation.legacy.batchSizes.length;
    case 'probe':
      return (evaluation.probe ?? 0) * config.moe.numExperts;
  }
}
