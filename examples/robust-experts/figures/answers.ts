// The questions of the paper, answered from finished runs: every statement with its seeds, its images and intervals, or that there is nothing to say yet.
import { type Pair, type Paired, bestAgainst, countRight, mean, overSeeds, paired } from '@moe/experiments';
import { type Interval, wilsonInterval } from '@moe/core';
import { type ReportSection, interval, percent, table } from '@moe/report';
import { isDense, pathLabel } from '../jobs.js';
import type { PathRecord } from '../results.js';
import { expertShares, gatedOf, isValid, robustFlags } from '../summary.js';
import { type FinishedRun, byRow } from './load.js';
import { livingExperts } from './routing.js';

const ALPHA = 0.05;
/** Fewer trainings of a row than this carry no claim about another training. */
const ENOUGH_SEEDS = 3;

const gated = (run: FinishedRun): PathRecord => gatedOf(run.results, run.model);
const points = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)} points`;
const range = ({ low, high }: Interval): string => interval(low, high);
const pText = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`);

/** What is known of a difference: of the networks that were trained, and of another training. */
interface Difference {
  readonly images: Paired;
  readonly seeds: readonly number[];
}

/** In words. The verdict is on these networks; from enough seeds on, on the way of training. */
function difference(name: string, other: string, { images, seeds }: Difference): string {
  const wide = overSeeds(seeds);
  const many = seeds.length >= ENOUGH_SEEDS;
  const apart = many ? wide !== undefined && (wide.low > 0 || wide.high < 0) : images.p < ALPHA;
  const verdict = apart ? (images.difference > 0 ? 'is more robust than' : 'is less robust than') : 'does not differ significantly from';
  const over = wide === undefined ? 'one seed, so of these networks alone' : `over ${seeds.length} seeds ${range(wide)}, each ${seeds.map(points).join(', ')}${many ? '' : '; too few for more than these networks'}`;
  return `${name} ${verdict} ${other}: ${points(images.difference)}, over images ${range(images.interval)}, paired exact test ${pText(images.p)}; ${over}.`;
}

/** Compares rows on the seeds that both have; images of a seed are the same for all rows. */
function against(runs: readonly FinishedRun[], others: readonly FinishedRun[]): Difference | undefined {
  const couples = runs.flatMap((run): Pair[] => {
    const other = others.find(({ seed }) => seed === run.seed);
    return other !== undefined && isValid(gated(run)) && isValid(gated(other)) ? [[robustFlags(gated(run)), robustFlags(gated(other))]] : [];
  });
  return couples.length === 0 ? undefined : { images: paired(couples), seeds: couples.map((couple) => paired([couple]).difference) };
}

/** One line a row: accuracies over seeds and images, intervals over images. */
function accuracyTable(runs: readonly FinishedRun[]) {
  const estimate = (records: readonly PathRecord[], flags: (record: PathRecord) => string): string => {
    const all = records.map(flags).join('');
    return `${percent(countRight(all) / all.length)} ${range(wilsonInterval(countRight(all), all.length))}`;
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
  const dense = runs.filter(({ model }) => isDense(model));
  return mixtures(runs).map(([row, some]) => {
    const found = against(some, dense);
    return found === undefined ? `${row}: no seed in common with the dense model yet.` : difference(row, 'the dense model', found);
  });
}

const mixtures = (runs: readonly FinishedRun[]) => [...byRow(runs)].filter(([, some]) => !isDense(some[0]!.model));

const collapse = (runs: readonly FinishedRun[]): string[] =>
  mixtures(runs).map(([row, some]) => {
    const living = some.map((run) => livingExperts(expertShares(run.results, run.model) ?? []));
    return `${row}: ${living.join(', ')} of ${some[0]!.config.moe.numExperts} experts serve more than 1 % of the clean test images (by seed).`;
  });

const expertsOf = ({ results, model }: FinishedRun): PathRecord[] => results.paths.filter((record) => record.model === model && record.path !== 'gated' && isValid(record));

/** The best expert against the gated model, picked on other images than those it is compared on. */
function bestExpert(row: string, some: readonly FinishedRun[]): string {
  const valid = some.filter((run) => isValid(gated(run)) && expertsOf(run).length > 0);
  if (valid.length === 0) return `${row}: not evaluated validly.`;
  const halves = valid.map((run) => bestAgainst(expertsOf(run).map(robustFlags), robustFlags(gated(run))));
  return difference(`${row}: the best single expert`, 'the gated model', { images: paired(halves.flat()), seeds: halves.map((pairs) => paired(pairs).difference) });
}

/** What AutoAttack and the attacks on routing leave, by seed. */
function audited({ row, seed, results, model }: FinishedRun): string[] {
  const audit = results.audits.find((record) => record.model === model);
  if (audit === undefined) return [];
  const [whole, alone] = ['gated', 'alone'].map((kind) => audit.attacks.find(({ path, attack }) => attack.startsWith('autoAttack') && (path === 'gated') === (kind === 'gated')));
  const adaptive = audit.attacks.find(({ attack }) => attack === 'routingAttacks');
  if (whole === undefined) return [];
  const single = alone === undefined ? '' : `, and of ${pathLabel(alone.path)}, which withstood PGD and AutoPGD best, ${countRight(alone.robust)} (paired exact test ${pText(paired([[alone.robust, whole.robust]]).p)})`;
  const suite = adaptive === undefined ? '' : `; attacks on routing leave ${countRight(adaptive.robust)} of ${adaptive.images} where AutoAttack leaves ${countRight(whole.robust.slice(0, adaptive.images))}`;
  return [`${row}, seed ${seed}: AutoAttack leaves ${countRight(whole.robust)} of ${whole.images} images${single}${suite}.`];
}

function depth(runs: readonly FinishedRun[]): string[] {
  const at = (stage: string) => mixtures(runs).filter(([, some]) => some[0]!.config.moe.at.startsWith(stage));
  const found = at('layer3').flatMap(([row, shallow]) =>
    at('layer4').flatMap(([other, deep]) => {
      const compared = deep[0]!.model === shallow[0]!.model ? against(deep, shallow) : undefined;
      return compared === undefined ? [] : [difference(other, row, compared)];
    }),
  );
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
    {
      title: 'Do single experts beat the gated model?',
      text: orNothing([...mixtures(runs).map(([row, some]) => bestExpert(row, some)), ...runs.flatMap(audited)]),
    },
    { title: 'Is depth decisive?', text: depth(runs) },
  ];
}
