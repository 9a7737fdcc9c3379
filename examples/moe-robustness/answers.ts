// What finished runs say: accuracy by attack, each row against the dense one of equal cost, routing under attack.
import { wilsonInterval } from '@moe/core';
import { paired } from '@moe/experiments';
import { type Figure, type ReportSection, type Table, interval, lineChart, percent, table } from '@moe/report';
import { ROWS } from './protocol.js';
import type { Results } from './records.js';
import { redundancySections } from './redundancy/answers.js';

const ALPHA = 0.05;
const PIXEL = 255;
const pixels = (eps: number): string => `${Number((eps * PIXEL).toFixed(2))}/255`;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const share = (flags: string): number => flags.replaceAll('0', '').length / flags.length;
const points = (difference: number): string => `${difference >= 0 ? '+' : '−'}${Math.abs(100 * difference).toFixed(1)} points`;
const pText = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`);

/** Which images a run gets right, under one attack or none. */
interface Measure {
  readonly name: string;
  readonly flags: (run: Results) => string | undefined;
}

/** Clean, then every attack and radius that some run has. */
function measuresOf(runs: readonly Results[]): Measure[] {
  const radii = (pick: (run: Results) => readonly { readonly eps: number }[]): number[] => [...new Set(runs.flatMap((run) => pick(run).map(({ eps }) => eps)))].toSorted((a, b) => a - b);
  return [
    { name: 'clean', flags: (run) => run.released[0]?.clean },
    ...radii(({ released }) => released).map((eps): Measure => ({ name: `released PGD ${pixels(eps)}`, flags: (run) => run.released.find((record) => record.eps === eps)?.attacked })),
    ...radii(({ standard }) => standard).flatMap((eps): Measure[] => (['pgd', 'apgd'] as const).map((attack) => ({ name: `${attack === 'pgd' ? 'PGD' : 'AutoPGD'} ${pixels(eps)}`, flags: (run) => run.standard.find((record) => record.eps === eps)?.[attack] }))),
  ];
}

/** Runs of each row, in the order of the protocol. */
function byRow(runs: readonly Results[]): [row: string, runs: readonly Results[]][] {
  return ROWS.flatMap(({ name }) => {
    const some = runs.filter(({ config }) => config.row.name === name).toSorted((a, b) => a.config.seed - b.config.seed);
    return some.length > 0 ? [[name, some] as [string, readonly Results[]]] : [];
  });
}

/** Accuracy over all seeds and images of a row under every attack. */
export function accuracyTable(runs: readonly Results[]): Table {
  const measures = measuresOf(runs);
  const estimate = (some: readonly Results[], { flags }: Measure): string => {
    const all = some.map((run) => flags(run) ?? '').join('');
    if (all === '') return '';
    const { low, high } = wilsonInterval(Math.round(share(all) * all.length), all.length);
    return `${percent(share(all))} ${interval(low, high)}`;
  };
  const rows = byRow(runs).map(([name, some]): Record<string, string> => ({
    row: name,
    seeds: some.map(({ config }) => config.seed).join(', '),
    macs: `${(some[0]!.training.macs / 1e6).toFixed(2)} M`,
    parameters: `${(some[0]!.training.parameters / 1e3).toFixed(0)} k`,
    ...Object.fromEntries(measures.map((measure) => [measure.name, estimate(some, measure)])),
  }));
  return table({
    columns: [
      { key: 'row', header: 'Model' },
      { key: 'seeds', header: 'Seeds', align: 'right' },
      { key: 'macs', header: 'Multiply-adds', align: 'right' },
      { key: 'parameters', header: 'Parameters', align: 'right' },
      ...measures.map(({ name }) => ({ key: name, align: 'right' as const })),
    ],
    rows,
    caption: 'Accuracy over all seeds and images, with 95 % Wilson intervals over images; they do not cover the randomness of training.',
  });
}

/** One row against another on the seeds that both have: a sentence for each attack. */
export function against(runs: readonly Results[], row: string, other: string): string[] {
  const rows = new Map(byRow(runs));
  const couples = (rows.get(row) ?? []).flatMap((run) => {
    const same = (rows.get(other) ?? []).find(({ config }) => config.seed === run.config.seed);
    return same === undefined ? [] : [[run, same] as const];
  });
  if (couples.length === 0) return [`${row} and ${other} have no seed in common yet.`];
  return measuresOf(couples.flat()).flatMap(({ name, flags }) => {
    const pairs = couples.flatMap(([a, b]) => {
      const both = [flags(a), flags(b)] as const;
      return both[0] === undefined || both[1] === undefined ? [] : [[both[0], both[1]] as const];
    });
    if (pairs.length === 0) return [];
    const { difference, p } = paired(pairs);
    const verdict = p >= ALPHA ? 'does not differ significantly from' : difference > 0 ? 'is more accurate than' : 'is less accurate than';
    const seeds = pairs.length === 1 ? '1 seed' : `${pairs.length} seeds: ${pairs.map((pair) => points(paired([pair]).difference)).join(', ')}`;
    return [`${name}: ${row} ${verdict} ${other}: ${points(difference)} (${seeds}; paired exact test over all images, ${pText(p)}).`];
  });
}

/** Error against the radius of the released attack. */
function errorCurves(runs: readonly Results[]): Figure[] {
  const series = byRow(runs).map(([name, some]) => {
    const radii = [...new Set(some.flatMap(({ released }) => released.map(({ eps }) => eps)))];
    const error = (flags: (run: Results) => string | undefined): number => 1 - mean(some.map((run) => share(flags(run)!)));
    return { name, points: [{ x: 0, y: error(({ released }) => released[0]!.clean) }, ...radii.map((eps) => ({ x: eps * PIXEL, y: error(({ released }) => released.find((record) => record.eps === eps)!.attacked) }))] };
  });
  return series.length === 0 ? [] : [lineChart({ title: 'Error under the released attack', series, xTitle: 'eps in 1/255', yTitle: 'error', yFormat: 'percent' })];
}

/** Error against a number that tells rows apart, one curve an attack. */
function errorBy(runs: readonly Results[], title: string, xTitle: string, pick: (run: Results) => number | undefined): Figure[] {
  const chosen = runs.filter((run) => pick(run) !== undefined);
  const values = [...new Set(chosen.map((run) => pick(run)!))].toSorted((a, b) => a - b);
  if (values.length < 2) return [];
  const series = measuresOf(chosen).map(({ name, flags }) => ({ name, points: values.map((value) => ({ x: value, y: 1 - mean(chosen.filter((run) => pick(run) === value).map((run) => share(flags(run)!))) })) }));
  return [lineChart({ title, series, xTitle, yTitle: 'error', yFormat: 'percent' })];
}

/** How many routing decisions the released attack changes, beside what unrelated choices would give. */
function routingSection(runs: readonly Results[]): ReportSection {
  const rows = byRow(runs).flatMap(([row, some]) => some[0]!.released.flatMap(({ eps }, radius) => some[0]!.released[radius]!.routing.map(({ layer, random }, at) => {
    const records = some.map(({ released }) => released[radius]!.routing[at]!);
    const change = mean(records.map((record) => record.change));
    return { row, layer, eps: pixels(eps), change, flips: mean(records.map(({ firstChoiceFlips }) => firstChoiceFlips)), random, relative: change / random };
  })));
  return {
    title: 'Do attacks change routing?',
    text: 'Change is 1 − overlap of the chosen sets, over the tokens of an image, then over images and seeds; random is what unrelated choices would give.',
    table: table({
      columns: [
        { key: 'row', header: 'Model' },
        { key: 'layer', header: 'Layer' },
        { key: 'eps' },
        { key: 'change', header: 'Change', align: 'right', format: (value) => percent(value) },
        { key: 'random', header: 'Random', align: 'right', format: (value) => percent(value) },
        { key: 'relative', header: 'of random', align: 'right', format: (value) => percent(value) },
        { key: 'flips', header: 'First choice flips', align: 'right', format: (value) => percent(value) },
      ],
      rows,
      groupBy: 'row',
    }),
  };
}

/** How many images every attack on routing leaves, beside one that knows none. */
function attacksSection(runs: readonly Results[]): ReportSection {
  const routed = runs.filter((run): run is Results & { routing: NonNullable<Results['routing']> } => run.routing !== null);
  const names = [...new Set(routed.flatMap(({ routing }) => Object.keys(routing.robust)))];
  const worst = (flags: readonly string[]): string => Array.from(flags[0]!, (_, i) => (flags.every((some) => some[i] === '1') ? '1' : '0')).join('');
  const rows = byRow(routed).map(([row, some]): Record<string, string> => {
    const all = some as typeof routed;
    return { row, images: String(all.reduce((sum, { routing }) => sum + routing.images, 0)), ...Object.fromEntries(names.map((name) => [name, percent(mean(all.map(({ routing }) => share(routing.robust[name]!))))])), all: percent(mean(all.map(({ routing }) => share(worst(Object.values(routing.robust)))))) };
  });
  return {
    title: 'Does an attack that knows the routing find more?',
    text: routed.length === 0 ? 'No run of a routed model is finished.' : `Accuracy at ${pixels(routed[0]!.routing.eps)}, each attack by itself; all: the images that withstand every one of them.`,
    table: table({ columns: [{ key: 'row', header: 'Model' }, { key: 'images', header: 'Images', align: 'right' }, ...[...names, 'all'].map((name) => ({ key: name, align: 'right' as const }))], rows }),
  };
}

/** Everything that finished runs say, one section a question. */
export function answerSections(runs: readonly Results[]): ReportSection[] {
  const single = (run: Results): boolean => run.config.row.from === null;
  return [
    { title: 'Accuracy', table: accuracyTable(runs), figures: errorCurves(runs) },
    { title: 'More robust at equal cost?', text: ['K = 1 costs what the dense network does, K = 2 what the wider one does, up to the gates.', ...against(runs, 'e8-k1', 'dense'), ...against(runs, 'e8-k2', 'dense-wide')] },
    {
      title: 'Do more experts help at the same cost?',
      text: [...against(runs, 'e16-k1', 'e2-k1'), ...against(runs, 'e8-k1', 'e2-k1')],
      figures: errorBy(runs, 'Error against the number of experts, one a token', 'experts', (run) => (run.config.row.moe?.topK === 1 && single(run) ? run.config.row.moe.numExperts : undefined)),
    },
    {
      title: 'Do more experts a token help?',
      text: against(runs, 'e8-k4', 'e8-k1'),
      figures: errorBy(runs, 'Error against the experts of a token, of eight', 'experts a token', (run) => (run.config.row.moe?.numExperts === 8 && single(run) ? run.config.row.moe.topK : undefined)),
    },
    routingSection(runs),
    attacksSection(runs),
    ...redundancySections(byRow(runs)),
    { title: 'Does adversarial fine-tuning change the ranking?', text: [...against(runs, 'dense-tuned', 'dense'), ...against(runs, 'e8-k1-tuned', 'dense-tuned')] },
  ];
}
