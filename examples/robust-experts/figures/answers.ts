// The questions of the paper, answered from finished runs: every statement with its seeds, its images and a test, or that there is nothing to say yet.
import { wilsonInterval } from '@moe/core';
import { type ReportSection, interval, mcnemar, percent, table } from '@moe/report';
import { isDense, pathLabel } from '../jobs.js';
import type { PathRecord } from '../results.js';
import { countRight, expertShares, gatedOf, isValid, robustFlags } from '../summary.js';
import { type FinishedRun, byRow } from './load.js';
import { livingExperts } from './routing.js';

const ALPHA = 0.05;

const gated = (run: FinishedRun): PathRecord => gatedOf(run.results, run.model);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const points = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)} points`;
const pText = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`);
const perSeed = (values: readonly number[]): string => (values.length === 1 ? '1 seed' : `${values.length} seeds: ${values.map(points).join(', ')}`);

/** Right and wrong of the same images on two paths, summed over pairs. */
export function paired(pairs: readonly (readonly [a: string, b: string])[]): { readonly difference: number; readonly p: number } {
  let [onlyA, onlyB, all] = [0, 0, 0];
  for (const [a, b] of pairs) {
    all += a.length;
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      if (a[i] === '1') onlyA += 1;
      else onlyB += 1;
    }
  }
  return { difference: (onlyA - onlyB) / all, p: mcnemar(onlyA, onlyB) };
}

/** Compares rows on the seeds that both have; images of a seed are the same for all rows. */
function against(runs: readonly FinishedRun[], others: readonly FinishedRun[]) {
  const couples = runs.flatMap((run) => {
    const other = others.find(({ seed }) => seed === run.seed);
    return other !== undefined && isValid(gated(run)) && isValid(gated(other)) ? [[robustFlags(gated(run)), robustFlags(gated(other))] as const] : [];
  });
  if (couples.length === 0) return undefined;
  return { ...paired(couples), differences: couples.map(([a, b]) => paired([[a, b]]).difference) };
}

function sentence(name: string, other: string, found: NonNullable<ReturnType<typeof against>>): string {
  const verdict = found.p >= ALPHA ? 'does not differ significantly from' : found.difference > 0 ? 'is more robust than' : 'is less robust than';
  return `${name} ${verdict} ${other}: ${points(found.difference)} (${perSeed(found.differences)}; paired exact test over all images, ${pText(found.p)}).`;
}

/** One line a row: accuracies over seeds and images, intervals over images. */
function accuracyTable(runs: readonly FinishedRun[]) {
  const estimate = (records: readonly PathRecord[], flags: (record: PathRecord) => string): string => {
    const all = records.map(flags).join('');
    const { low, high } = wilsonInterval(countRight(all), all.length);
    return `${percent(countRight(all) / all.length)} ${interval(low, high)}`;
  };
  return table({
    columns: [
      { key: 'row', header: 'Model' },
      { key: 'seeds', header: 'Seeds', align: 'right' },
      { key: 'macs', header: 'Multiply-adds', align: 'right', format: (value) => value.toLocaleString('en') },
      { key: 'clean', header: 'Clean', align: 'right' },
      { key: 'pgd', header: 'PGD-20', align: 'right' },
      { key: 'apgd', header: 'AutoPGD-20', align: 'right' },
      { key: 'both', header: 'Both', align: 'right' },
    ],
    rows: [...byRow(runs)].map(([row, some]) => {
      const records = some.map(gated);
      return {
        row,
        seeds: some.map(({ seed }) => seed).join(', '),
        macs: some[0]!.results.training.find(({ model }) => model === some[0]!.model)!.macs,
        clean: estimate(records, ({ clean }) => clean),
        pgd: estimate(records, ({ pgd }) => pgd),
        apgd: estimate(records, ({ apgd }) => apgd),
        both: estimate(records, robustFlags),
      };
    }),
    caption: 'Accuracy over all seeds and images, with 95 % Wilson intervals over images; they do not cover the randomness of training.',
  });
}

function doesItHelp(runs: readonly FinishedRun[]): string[] {
  const rows = byRow(runs);
  const dense = runs.filter(({ model }) => isDense(model));
  return [...rows].filter(([, some]) => !isDense(some[0]!.model)).map(([row, some]) => {
    const found = against(some, dense);
    return found === undefined ? `${row}: no seed in common with the dense model yet.` : sentence(row, 'the dense model', found);
  });
}

const collapse = (runs: readonly FinishedRun[]): string[] =>
  [...byRow(runs)].filter(([, some]) => !isDense(some[0]!.model)).map(([row, some]) => {
    const living = some.map((run) => livingExperts(expertShares(run.results, run.model) ?? []));
    return `${row}: ${living.join(', ')} of ${some[0]!.config.moe.numExperts} experts serve more than 1 % of the clean test images (by seed).`;
  });

/** The best single expert against the gated model, its p-value corrected for having been picked, and both under AutoAttack. */
function singleExperts(runs: readonly FinishedRun[]): string[] {
  return runs.filter(({ model }) => !isDense(model)).map((run) => {
    const whole = gated(run);
    const experts = run.results.paths.filter((record) => record.model === run.model && record.path !== 'gated' && isValid(record));
    if (experts.length === 0 || !isValid(whole)) return `${run.row}, seed ${run.seed}: not evaluated validly.`;
    const best = experts.reduce((a, b) => (countRight(robustFlags(b)) > countRight(robustFlags(a)) ? b : a));
    const { difference, p } = paired([[robustFlags(best), robustFlags(whole)]]);
    const corrected = Math.min(1, p * experts.length);
    const verdict = difference > 0 && corrected < ALPHA ? 'beats' : 'does not beat';
    const audit = run.results.audits.find(({ model }) => model === run.model);
    const ensemble = audit?.attacks.filter(({ attack }) => attack.startsWith('autoAttack')) ?? [];
    const strong = ensemble.map(({ path, robust, images }) => `${pathLabel(path)} ${countRight(robust)} of ${images}`).join(', ');
    const adaptive = audit?.attacks.find(({ attack }) => attack === 'routingAttacks');
    const suite = adaptive === undefined ? '' : ` Attacks on routing leave ${countRight(adaptive.robust)} of ${adaptive.images}.`;
    return `${run.row}, seed ${run.seed}: the best of ${experts.length} experts (${pathLabel(best.path)}) ${verdict} the gated model: ${points(difference)} (${pText(corrected)} after correction).${strong === '' ? '' : ` AutoAttack leaves ${strong}.`}${suite}`;
  });
}

function depth(runs: readonly FinishedRun[]): string[] {
  const rows = byRow(runs);
  const shallow = [...rows.keys()].filter((row) => rows.get(row)!.some(({ model, config }) => !isDense(model) && config.moe.at.startsWith('layer3')));
  const deep = [...rows.keys()].filter((row) => rows.get(row)!.some(({ model, config }) => !isDense(model) && config.moe.at.startsWith('layer4')));
  const found = shallow.flatMap((row) => deep.flatMap((other) => {
    const compared = rows.get(row)![0]!.model === rows.get(other)![0]!.model ? against(rows.get(other)!, rows.get(row)!) : undefined;
    return compared === undefined ? [] : [sentence(other, row, compared)];
  }));
  return found.length > 0 ? found : ['No model with experts in conv4_x is finished, so nothing can be said about depth yet.'];
}

const robustOf = (runs: readonly FinishedRun[]): number => mean(runs.map((run) => countRight(robustFlags(gated(run))) / gated(run).images));

/** Sections with the answers, and a line on what they rest on. */
export function answerSections(runs: readonly FinishedRun[]): ReportSection[] {
  if (runs.length === 0) return [{ title: 'Answers', text: 'No run is finished.' }];
  const orNothing = (sentences: readonly string[]): readonly string[] => (sentences.length > 0 ? sentences : ['No MoE model is finished yet.']);
  const best = [...byRow(runs)].toSorted(([, a], [, b]) => robustOf(b) - robustOf(a))[0]!;
  return [
    { title: 'Accuracy', text: `Highest mean under both attacks: ${best[0]}, ${percent(robustOf(best[1]))}.`, table: accuracyTable(runs) },
    { title: 'Does a deep MoE layer help under adversarial training, at equal inference cost?', text: orNothing(doesItHelp(runs)) },
    { title: 'Does switch loss collapse while entropy does not?', text: orNothing(collapse(runs)) },
    { title: 'Do single experts beat the gated model?', text: orNothing(singleExperts(runs)) },
    { title: 'Is depth decisive?', text: depth(runs) },
  ];
}
