// Robust Experts, plots of fixed experts: every expert alone, the gated model and the dense one, natural and under attack.
import { wilsonInterval } from '@moe/core';
import { type Figure, type ReportSection, expertBars, tradeOffScatter } from '@moe/report';
import { isDense, pathLabel } from '../jobs.js';
import { type PathSummary, summarise } from '../summary.js';
import { type FinishedRun, label } from './load.js';

const share = (right: number, of: number) => ({ value: right / of, interval: wilsonInterval(right, of) });

const rowsOf = (run: FinishedRun): PathSummary[] => summarise(run.results).filter((row) => row.model === run.model && row.valid);

function bars(runs: readonly FinishedRun[], what: 'clean' | 'robust', title: string): Figure {
  const dense = runs.filter(({ model }) => isDense(model)).flatMap(rowsOf);
  const mean = dense.reduce((sum, row) => sum + row[what] / row.images, 0) / dense.length;
  return expertBars({
    title,
    groups: runs
      .filter(({ model }) => !isDense(model))
      .flatMap((run) => rowsOf(run).map((row) => ({ model: label(run), path: pathLabel(row.path), ...share(row[what], row.images), reference: row.path === 'gated', highlighted: row.isRobustExpert }))),
    ...(dense.length > 0 ? { baseline: { label: 'dense, mean of seeds', value: mean } } : {}),
  });
}

/** Accuracy per fixed expert, by number of experts for each row that differs in it. */
export function expertsSection(runs: readonly FinishedRun[]): ReportSection {
  const sorted = runs.toSorted((a, b) => a.config.moe.numExperts - b.config.moe.numExperts);
  if (!runs.some(({ model }) => !isDense(model))) return { title: 'Every expert alone', text: 'No MoE model is finished.' };
  return {
    title: 'Every expert alone',
    text: 'Each path is attacked as such, with all images through the fixed expert of one layer. Orange: the expert withstands both attacks more often than the gated model.',
    figures: [bars(sorted, 'clean', 'Accuracy without attack'), bars(sorted, 'robust', 'Accuracy under PGD and AutoPGD, the worse for each image')],
  };
}

/** Clean against robust accuracy of every deployed model. */
export function tradeOffSection(runs: readonly FinishedRun[]): ReportSection {
  const points = runs.flatMap((run) =>
    rowsOf(run).filter(({ path }) => path === 'gated').map((row) => ({
      label: String(run.seed),
      clean: row.clean / row.images,
      robust: row.robust / row.images,
      cleanInterval: wilsonInterval(row.clean, row.images),
      robustInterval: wilsonInterval(row.robust, row.images),
      group: run.row,
      shape: isDense(run.model) ? 'dense' : run.config.moe.gate,
    })),
  );
  return { title: 'Trade-off', text: 'One point per deployed model; its label is the seed.', figures: points.length === 0 ? [] : [tradeOffScatter({ points, yTitle: 'Accuracy under PGD and AutoPGD' })] };
}
