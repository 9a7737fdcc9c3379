import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, ModelName } from './config.js';

/** How the inputs of an MoE layer find their expert: by its gate, or all through one. */
export type RoutePath = 'gated' | number;

/** A piece of work that one process does from start to end, and continues if it was interrupted. */
export type Job = { readonly kind: 'train'; readonly model: ModelName } | { readonly kind: 'evaluate'; readonly model: ModelName; readonly path: RoutePath };

export const isDense = (model: ModelName): boolean => model === 'dense';

/** Paths that are attacked: the deployed model, and for an MoE every expert fixed in turn. */
export function pathsOf(config: Config, model: ModelName): RoutePath[] {
  return isDense(model) ? ['gated'] : ['gated', ...Array.from({ length: config.moe.numExperts }, (_, expert) => expert)];
}

/** For people: `gated`, `expert 2`. */
export const pathLabel = (path: RoutePath): string => (path === 'gated' ? 'gated' : `expert ${path}`);
const pathName = (path: RoutePath): string => (path === 'gated' ? 'gated' : `expert-${path}`);
export const jobName = (job: Job): string => (job.kind === 'train' ? `train ${job.model}` : `attack ${job.model} ${isDense(job.model) ? '' : pathLabel(job.path)}`.trimEnd());

/** Files of a run, below its folder. */
export const files = {
  checkpoint: (folder: string, model: ModelName): string => join(folder, 'models', model, 'checkpoint.moe'),
  weights: (folder: string, model: ModelName): string => join(folder, 'models', model, 'weights.moe'),
  training: (folder: string, model: ModelName): string => join(folder, 'models', model, 'training.json'),
  state: (folder: string, model: ModelName, path: RoutePath): string => join(folder, 'models', model, `${pathName(path)}.state.json`),
  evaluation: (folder: string, model: ModelName, path: RoutePath): string => join(folder, 'models', model, `${pathName(path)}.json`),
  config: (folder: string): string => join(folder, 'config.json'),
  metrics: (folder: string): string => join(folder, 'metrics.jsonl'),
  results: (folder: string): string => join(folder, 'results.json'),
  report: (folder: string): string => join(folder, 'report.html'),
};

/** The file whose presence says that a job is finished. */
const outputOf = (folder: string, job: Job): string => (job.kind === 'train' ? files.training(folder, job.model) : files.evaluation(folder, job.model, job.path));

/** The file from which an interrupted job continues. */
export const stateOf = (folder: string, job: Job): string => (job.kind === 'train' ? files.checkpoint(folder, job.model) : files.state(folder, job.model, job.path));

export const isFinished = (folder: string, job: Job): boolean => existsSync(outputOf(folder, job));

/** All jobs, the longest chains first. */
export function jobsOf(config: Config): Job[] {
  const models = [...config.models].sort((a, b) => Number(isDense(a)) - Number(isDense(b)));
  return [
    ...models.map((model): Job => ({ kind: 'train', model })),
    ...models.flatMap((model) => pathsOf(config, model).map((path): Job => ({ kind: 'evaluate', model, path }))),
  ];
}

/** Whether the jobs it builds on are finished. */
export const isReady = (folder: string, job: Job): boolean => job.kind === 'train' || isFinished(folder, { kind: 'train', model: job.model });

/** Rough cost of a job in forward passes of one image: a backward pass to the input costs one more, to the weights two. */
export function costOf(config: Config, job: Job): number {
  const { training, evaluation, data } = config;
  if (job.kind === 'train') return training.epochs * data.trainImages * (3 + (training.eps > 0 ? 2 * training.steps : 0));
  return data.testImages * 2 * (evaluation.pgdSteps + evaluation.apgdSteps);
}
