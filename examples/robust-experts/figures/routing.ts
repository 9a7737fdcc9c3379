// Robust Experts, routing statistics: histograms of gates, classes by expert, collapse over the epochs.
import { type Figure, type ReportSection, heatMap, lineChart, shareOverTime, table } from '@moe/report';
import { isDense } from '../jobs.js';
import { expertShares, fixedLayer, gatedOf, normalised } from '../summary.js';
import { type FinishedRun, label } from './load.js';

const BINS = 10;
const experts = (count: number): string[] => Array.from({ length: count }, (_, i) => `expert ${i}`);
const moe = (runs: readonly FinishedRun[]): FinishedRun[] => runs.filter(({ model }) => !isDense(model));
const trainingOf = ({ results, model }: FinishedRun) => results.training.find((record) => record.model === model)!;
const layerOf = (run: FinishedRun): string => fixedLayer(trainingOf(run).moeLayers, run.config);

/** Images by gate probability, for every expert of the layer whose experts are fixed. */
export function histogramSection(runs: readonly FinishedRun[]): ReportSection {
  const figures = moe(runs).flatMap((run): Figure[] => {
    const layer = layerOf(run);
    const gate = run.results.probes.find(({ model }) => model === run.model)?.gates.find((probe) => probe.layer === layer);
    if (gate === undefined) return [];
    const total = gate.histogram[0]!.reduce((a, b) => a + b, 0);
    const columns = Array.from({ length: BINS }, (_, i) => `${i / BINS}–${(i + 1) / BINS}`);
    return [heatMap({ title: `${label(run)}: share of the images by gate probability (${layer})`, rows: experts(gate.histogram.length), columns, values: gate.histogram.map((bins) => bins.map((count) => count / total)) })];
  });
  return { title: 'Histograms of gates', text: 'Clean test images, ten bins of the probability that the gate gives an expert.', figures };
}

/** Mean weight of each expert for the images of each class. */
export function classesSection(runs: readonly FinishedRun[]): ReportSection {
  const figures = moe(runs).flatMap((run): Figure[] => {
    const layer = layerOf(run);
    const matrix = gatedOf(run.results, run.model).routing?.find((record) => record.layer === layer)?.classByExpert;
    return matrix ? [heatMap({ title: `${label(run)}: share of each class per expert (${layer})`, rows: run.results.data.classNames, columns: experts(run.config.moe.numExperts), values: matrix })] : [];
  });
  return { title: 'Classes by expert', text: 'Each row sums to 1.', figures };
}

/** Precision, recall and F1 of each class from a confusion `[class][predicted class]`; 0 where a class is never predicted. */
export function classScores(confusion: readonly (readonly number[])[]) {
  return confusion.map((row, i) => {
    const [right, of, predicted] = [row[i]!, row.reduce((a, b) => a + b, 0), confusion.reduce((sum, other) => sum + other[i]!, 0)];
    const [precision, recall] = [predicted === 0 ? 0 : right / predicted, of === 0 ? 0 : right / of];
    return { precision, recall, f1: right === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
  });
}

/** Precision, recall and F1 of each class, and what is taken for what. */
export function confusionSection(runs: readonly FinishedRun[]): ReportSection {
  const probed = runs.flatMap((run) => run.results.probes.filter(({ model }) => model === run.model).map(({ confusion }) => ({ run, confusion })));
  const rows = probed.flatMap(({ run, confusion }) => classScores(confusion).map((scores, i) => ({ name: label(run), class: run.results.data.classNames[i]!, ...scores })));
  const share = (value: number): string => value.toFixed(2);
  return {
    title: 'Classes',
    text: 'Clean test images.',
    table: table({
      columns: [
        { key: 'name', header: 'Run' },
        { key: 'class', header: 'Class' },
        { key: 'precision', header: 'Precision', align: 'right', format: share },
        { key: 'recall', header: 'Recall', align: 'right', format: share },
        { key: 'f1', header: 'F1', align: 'right', format: share },
      ],
      rows,
      groupBy: 'name',
    }),
    figures: probed.map(({ run, confusion }) => {
      const names = run.results.data.classNames;
      return heatMap({ title: `${label(run)}: class and predicted class`, rows: names, columns: names, values: confusion.map((row) => row.map((count) => count / row.reduce((a, b) => a + b, 0))) });
    }),
  };
}

/** exp(entropy) of shares: 1 where one expert takes all, E where all take the same. */
export const effectiveExperts = (shares: readonly number[]): number => Math.exp(-shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0));

/** Threshold of the predecessor: an expert with less is dead. */
const DEAD_SHARE = 0.01;
export const livingExperts = (shares: readonly number[]): number => shares.filter((share) => share > DEAD_SHARE).length;

/** Shares of training images per expert, and how many experts they amount to. */
export function collapseSection(runs: readonly FinishedRun[]): ReportSection {
  const rows = moe(runs).map((run) => {
    const layer = layerOf(run);
    const usage = trainingOf(run).history.epochs.map(({ epoch, routing }) => ({ epoch: epoch + 1, shares: normalised(routing.find((record) => record.layer === layer)!.usage) }));
    return { run, layer, usage, test: expertShares(run.results, run.model) };
  });
  const figures = rows.map(({ run, layer, usage }) =>
    shareOverTime({ title: `${label(run)}: share of training images per expert (${layer})`, times: usage.map(({ epoch }) => epoch), names: experts(run.config.moe.numExperts), shares: usage.map(({ shares }) => shares), xTitle: 'epoch' }),
  );
  const series = rows.map(({ run, usage }) => ({ name: label(run), points: usage.map(({ epoch, shares }) => ({ x: epoch, y: effectiveExperts(shares) })) }));
  return {
    title: 'Collapse over the epochs',
    text: 'Experts in use: exp of the entropy of the shares, 1 after a collapse on one expert. Living: more than 1 % of the clean test images.',
    table: table({
      columns: [
        { key: 'name', header: 'Run' },
        { key: 'experts', header: 'Experts', align: 'right' },
        { key: 'inUse', header: 'In use, last epoch', align: 'right', format: (value) => value.toFixed(2) },
        { key: 'living', header: 'Living, test', align: 'right' },
        { key: 'shares', header: 'Shares, test' },
      ],
      rows: rows.map(({ run, usage, test = [] }) => ({
        name: label(run),
        experts: run.config.moe.numExperts,
        inUse: effectiveExperts(usage.at(-1)?.shares ?? []),
        living: livingExperts(test),
        shares: test.map((share) => `${(100 * share).toFixed(0)} %`).join(' '),
      })),
    }),
    figures: series.length === 0 ? [] : [lineChart({ title: 'Experts in use', series, xTitle: 'epoch', yTitle: 'exp(entropy of shares)' }), ...figures],
  };
}
