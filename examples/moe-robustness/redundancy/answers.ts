// What the suite says over finished runs.
import { type ReportSection, lineChart, percent, table } from '@moe/report';
import type { Results } from '../records.js';
import type { Exchanged, Redundancy } from './measure.js';

type Rows = readonly (readonly [row: string, runs: readonly Results[]])[];

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const fixed = (value: number): string => value.toFixed(2);
const suites = (runs: readonly Results[]): Redundancy[] => runs.flatMap(({ redundancy }) => (redundancy === null ? [] : [redundancy]));

/** Rows that mix, with their suites. */
const mixing = (rows: Rows): (readonly [row: string, suites: readonly Redundancy[]])[] => rows.map(([row, runs]) => [row, suites(runs)] as const).filter(([, some]) => some.length > 0);

function transplantSection(rows: Rows): ReportSection {
  return {
    title: 'Do attacks work through routing or through features?',
    text: 'Accuracy with features of clean or attacked images (AutoPGD) under the routing of either, mean over seeds.',
    table: table({
      columns: [
        { key: 'row', header: 'Model' },
        { key: 'cleanClean', header: 'clean, own routing', format: (value) => percent(value) },
        { key: 'cleanAttacked', header: 'clean, attacked routing', format: (value) => percent(value) },
        { key: 'attackedClean', header: 'attacked, clean routing', format: (value) => percent(value) },
        { key: 'attackedAttacked', header: 'attacked, own routing', format: (value) => percent(value) },
      ],
      rows: mixing(rows).map(([row, some]) => {
        const of = (key: keyof Redundancy['transplant']): number => mean(some.map(({ transplant }) => transplant[key]));
        return { row, cleanClean: of('cleanClean'), cleanAttacked: of('cleanAttacked'), attackedClean: of('attackedClean'), attackedAttacked: of('attackedAttacked') };
      }),
    }),
  };
}

/** Labels of what is exchanged, and what to show of it. */
const EXCHANGES: readonly (readonly [label: string, pick: (exchanged: Exchanged) => number | undefined])[] = [
  ['as trained', ({ random }) => random[0]],
  ['next rank, weights kept', ({ shiftKept }) => shiftKept[1]],
  ['next rank, own weights', ({ shiftOwn }) => shiftOwn[1]],
  ['last rank, weights kept', ({ shiftKept }) => shiftKept.at(-1)],
  ['half of the tokens at random', ({ random }) => random[2]],
  ['all at random', ({ random }) => random.at(-1)],
  ['permuted', ({ permuted }) => permuted],
  ['least used half removed', ({ pruneLeast }) => pruneLeast[Math.floor(pruneLeast.length / 2)]],
  ['most used half removed', ({ pruneMost }) => pruneMost[Math.floor(pruneMost.length / 2)]],
  ['one a token', ({ topK }) => topK[0]],
  ['all a token', ({ topK }) => topK.at(-1)],
];

function exchangeSection(rows: Rows): ReportSection {
  const entries = mixing(rows).flatMap(([row, some]) => EXCHANGES.map(([experts, pick]) => {
    const of = (on: 'clean' | 'attacked'): number | undefined => {
      const values = some.flatMap((suite) => pick(suite[on]) ?? []);
      return values.length === 0 ? undefined : mean(values);
    };
    return { row, experts, clean: of('clean'), attacked: of('attacked') };
  }));
  const series = mixing(rows).map(([row, some]) => ({ name: row, points: some[0]!.shares.map((share, i) => ({ x: share, y: mean(some.map(({ clean }) => clean.random[i]!)) })) }));
  return {
    title: 'Are models robust to the choice of experts?',
    text: 'Accuracy on clean images, and on images attacked for the model as it was trained, with experts exchanged; mean over seeds.',
    table: table({
      columns: [{ key: 'row', header: 'Model' }, { key: 'experts', header: 'Experts' }, { key: 'clean', header: 'Clean', align: 'right', format: (value) => percent(value) }, { key: 'attacked', header: 'Attacked', align: 'right', format: (value) => percent(value) }],
      rows: entries,
      groupBy: 'row',
    }),
    figures: series.length === 0 ? [] : [lineChart({ title: 'Clean accuracy with random experts', series, xTitle: 'share of tokens', yTitle: 'accuracy', yFormat: 'percent' })],
  };
}

function differenceSection(rows: Rows): ReportSection {
  return {
    title: 'How different are experts?',
    text: 'Relative distance of outputs on real tokens; CKA is the mean over pairs; deviations of logits over eight random routes and over images; mean over seeds.',
    table: table({
      columns: [
        { key: 'row', header: 'Model' },
        { key: 'layer', header: 'Layer' },
        { key: 'topTwo', header: 'first and second', format: fixed },
        { key: 'random', header: 'random pair', format: fixed },
        { key: 'cka', header: 'CKA', format: fixed },
        { key: 'lead', header: 'lead of the first gate', format: fixed },
        { key: 'within', header: 'logits over routes', format: fixed },
        { key: 'between', header: 'over images', format: fixed },
        { key: 'agreement', header: 'routes that agree', format: (value) => percent(value) },
      ],
      rows: mixing(rows).flatMap(([row, some]) => some[0]!.difference.map(({ layer }, at) => {
        const records = some.map(({ difference }) => difference[at]!);
        const pairs = (cka: readonly (readonly number[])[]): number => mean(cka.flatMap((line, i) => line.slice(0, i)));
        return {
          row,
          layer,
          topTwo: mean(records.map(({ topTwo }) => topTwo)),
          random: mean(records.map(({ random }) => random)),
          cka: mean(records.map(({ cka }) => pairs(cka))),
          lead: mean(records.map(({ lead }) => lead)),
          within: mean(some.map(({ ensemble }) => ensemble.withinDeviation)),
          between: mean(some.map(({ ensemble }) => ensemble.betweenDeviation)),
          agreement: mean(some.map(({ ensemble }) => ensemble.agreement)),
        };
      })),
      groupBy: 'row',
    }),
  };
}

function slopeSection(rows: Rows): ReportSection {
  return {
    title: 'Smaller Lipschitz constants?',
    text: 'Norms of the Jacobian of feed-forward layers at real tokens, by power iteration, so from below: of the layer, with its routes and weights held, and of what these add. Mean over tokens and seeds.',
    table: table({
      columns: [
        { key: 'row', header: 'Model' },
        { key: 'layer', header: 'Layer' },
        { key: 'total', header: 'Layer', format: fixed },
        { key: 'experts', header: 'routes held', format: fixed },
        { key: 'router', header: 'router', format: fixed },
        { key: 'steepest', header: 'steepest token', format: fixed },
      ],
      rows: rows.flatMap(([row, runs]) => runs[0]!.slopes.map(({ layer }, at) => {
        const of = (key: 'total' | 'experts' | 'router' | 'steepestToken'): number => mean(runs.map(({ slopes }) => slopes[at]![key]));
        return { row, layer, total: of('total'), experts: of('experts'), router: of('router'), steepest: of('steepestToken') };
      })),
      groupBy: 'row',
    }),
  };
}

export const redundancySections = (rows: Rows): ReportSection[] => [slopeSection(rows), transplantSection(rows), exchangeSection(rows), differenceSection(rows)];
