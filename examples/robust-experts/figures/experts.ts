// Robust Experts, plots of fixed experts: every expert alone, the gated model and the dense one, natural and under attack.
import { wilsonInterval } from '@moe/core';
import { type Figure, type LineSeries, type ReportSection, expertBars, lineChart, tradeOffScatter } from '@moe/report';
import { isDense, pathLabel } from '../jobs.js';
import { type PathSummary, summarise } from '../summary.js';
import { type FinishedRun, label } from './load.js';
import { mean } from '@moe/experiments';

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

/** What rows that differ in the number of experts alone have in common. */
const familyOf = ({ model, config: { moe, training } }: FinishedRun): string => `${model} in ${moe.at}, ${moe.gate}, k = ${moe.topK}${training.eps === 0 ? ', standard training' : ''}`;

/** Robust accuracy against the number of experts: gated, and the best, mean and worst expert alone; means over seeds. Of models that differ in it. */
export function expertCountSeries(runs: readonly FinishedRun[]): { readonly family: string; readonly series: readonly LineSeries[] }[] {
  const mixtures = runs.filter(({ model }) => !isDense(model));
  const robust = (rows: readonly PathSummary[]): number[] => rows.map((row) => row.robust / row.images);
  const dense = mean(runs.filter(({ model }) => isDense(model)).flatMap(rowsOf).flatMap((row) => robust([row])));
  return [...new Set(mixtures.map(familyOf))].flatMap((family) => {
    const members = mixtures.filter((run) => familyOf(run) === family);
    const counts = [...new Set(members.map(({ config }) => config.moe.numExperts))].toSorted((a, b) => a - b);
    if (counts.length < 2) return [];
    const curve = (name: string, of: (rows: readonly PathSummary[]) => number): LineSeries => ({
      name,
      points: counts.map((count) => ({ x: Math.log2(count), y: mean(members.filter(({ config }) => config.moe.numExperts === count).map((run) => of(rowsOf(run)))) })),
    });
    const alone = (pick: (values: readonly number[]) => number) => (rows: readonly PathSummary[]) => pick(robust(rows.filter(({ path }) => path !== 'gated')));
    const series = [
      curve('gated', (rows) => robust(rows.filter(({ path }) => path === 'gated'))[0] ?? Number.NaN),
      curve('best expert alone', alone((values) => Math.max(...values))),
      curve('mean of the experts alone', alone(mean)),
      curve('worst expert alone', alone((values) => Math.min(...values))),
      ...(Number.isNaN(dense) ? [] : [{ name: 'dense', points: counts.map((count) => ({ x: Math.log2(count), y: dense })) }]),
    ];
    return [{ family, series: series.filter(({ points }) => points.every(({ y }) => Number.isFinite(y))) }];
  });
}

/** Accuracy per fixed expert, by number of experts for each row that differs in it. */
export function expertsSection(runs: readonly FinishedRun[]): ReportSection {
  const sorted = runs.toSorted((a, b) => a.config.moe.numExperts - b.config.moe.numExperts);
  if (!runs.some(({ model }) => !isDense(model))) return { title: 'Every expert alone', text: 'No MoE model is finished.' };
  const charts = expertCountSeries(runs).map(({ family, series }) => lineChart({ title: `By number of experts: ${family}`, series, xTitle: 'log2 of the experts', yTitle: 'accuracy under PGD and AutoPGD', yFormat: 'percent' }));
  return {
    title: 'Every expert alone',
    text: 'Each path is attacked as such, with all images through the fixed expert of one layer. Orange: the expert withstands both attacks more often than the gated model.',
    figures: [bars(sorted, 'clean', 'Accuracy without attack'), bars(sorted, 'robust', 'Accuracy under PGD and AutoPGD, the worse for each image'), ...charts],
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
