// Robust Experts, tables: every row of an experiment beside what the paper has in the same place.
import { countRight, mean } from '@moe/experiments';
import { type ReportSection, percent, table } from '@moe/report';
import { isDense } from '../jobs.js';
import { EXPERIMENTS } from '../presets/index.js';
import type { Published } from '../presets/published.js';
import type { PathRecord } from '../results.js';
import { gatedOf, isValid } from '../summary.js';
import { type FinishedRun, byRow } from './load.js';

/** Over seeds. */
interface Estimate {
  readonly mean: number;
  /** Standard deviation; of one seed none. */
  readonly deviation: number | undefined;
}

function estimate(values: readonly number[]): Estimate {
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  return { mean: centre, deviation: values.length > 1 ? Math.sqrt(variance) : undefined };
}

const show = ({ mean: value, deviation }: Estimate): string => `${percent(value)}${deviation === undefined ? '' : ` ± ${(100 * deviation).toFixed(1)}`}`;

/** What the paper has for a row of the experiment that a run belongs to. */
export function publishedFor({ row, results }: Pick<FinishedRun, 'row' | 'results'>): Published | undefined {
  const name = Object.keys(EXPERIMENTS).find((experiment) => results.preset === experiment || results.preset.startsWith(`${experiment}-`));
  return name === undefined ? undefined : EXPERIMENTS[name as keyof typeof EXPERIMENTS].rows.find((candidate) => candidate.name === row)?.published;
}

function rowOf(row: string, all: readonly FinishedRun[]) {
  const runs = all.filter((run) => isValid(gatedOf(run.results, run.model)));
  const [first] = runs;
  if (first === undefined) return [];
  const { moe, training } = first.config;
  const share = (flags: (record: PathRecord) => string): Estimate => estimate(runs.map((run) => countRight(flags(gatedOf(run.results, run.model))) / gatedOf(run.results, run.model).images));
  const published = publishedFor(first);
  return [
    {
      row,
      dense: isDense(first.model),
      method: [training.eps === 0 ? 'standard' : training.method, ...training.terms].join(' + '),
      experts: isDense(first.model) ? undefined : moe.numExperts,
      topK: isDense(first.model) ? undefined : moe.topK,
      seeds: runs.length,
      clean: share(({ clean }) => clean),
      pgd: share(({ pgd }) => pgd),
      apgd: share(({ apgd }) => apgd),
      paperClean: published && published.clean / 100,
      paperPgd: published && published.pgd / 100,
    },
  ];
}

/** Ours and the paper's, bold where at least as good as the dense model beside them. */
export function tablesSection(runs: readonly FinishedRun[]): ReportSection {
  const rows = [...byRow(runs)].flatMap(([row, some]) => rowOf(row, some));
  const dense = rows.find((row) => row.dense);
  const reached = (key: 'clean' | 'pgd' | 'apgd') => (value: Estimate, row: { readonly dense: boolean }): boolean => dense !== undefined && !row.dense && value.mean >= dense[key].mean;
  const reachedInPaper = (key: 'paperClean' | 'paperPgd') => (value: number, row: { readonly dense: boolean }): boolean => !row.dense && value >= (dense?.[key] ?? Infinity);
  return {
    title: 'Tables',
    text: 'Ours beside the paper’s, which are for CIFAR-100 at full width with one seed. Its AutoPGD was scored in training mode and is left out.',
    table: table({
      columns: [
        { key: 'row', header: 'Model' },
        { key: 'method', header: 'Training' },
        { key: 'experts', header: 'E', align: 'right' },
        { key: 'topK', header: 'k', align: 'right' },
        { key: 'seeds', header: 'Seeds' },
        { key: 'clean', header: 'Clean', align: 'right', format: show, bold: reached('clean') },
        { key: 'pgd', header: 'PGD-20', align: 'right', format: show, bold: reached('pgd') },
        { key: 'apgd', header: 'AutoPGD-20', align: 'right', format: show, bold: reached('apgd') },
        { key: 'paperClean', header: 'Paper, clean', align: 'right', format: (value) => percent(value, 2), bold: reachedInPaper('paperClean') },
        { key: 'paperPgd', header: 'Paper, PGD-20', align: 'right', format: (value) => percent(value, 2), bold: reachedInPaper('paperPgd') },
      ],
      rows,
      caption: 'Accuracy of the deployed models: mean and standard deviation over seeds. Bold: at least that of the dense model.',
    }),
  };
}
