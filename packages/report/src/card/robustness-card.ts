import { expectArgument, expectKnownKeys } from '@moe/core';
import { lineChart } from '../figures/line-chart.js';
import type { ReportContent, ReportSection } from '../report/content.js';
import { interval, percent } from '../table/format.js';
import { table } from '../table/table.js';
import { type CardDiagnosis, type CardEvaluation, type RobustnessCardOptions, doubtsOf } from './card-input.js';
import { robustnessVerdict } from './verdict.js';

/** What the experiments of `diagnose` are called for people, in the order of the card. */
const EXPERIMENTS: Readonly<Record<string, string>> = {
  robust: 'left by the attack',
  robustHalfEps: 'left in half the radius',
  robustDoubleEps: 'left in twice the radius',
  robustUnbounded: 'left in a ball that holds every input; should be 0',
  robustMoreSteps: 'left by four times the steps',
  robustSingleStep: 'left by one step',
  robustNoise: 'left by random points',
  robustBlackBox: 'left by queries without gradients',
  robustTransfer: 'left by points from the twin',
  robustRounded: 'left when the model sees images of 8 bits',
  gradientError: 'off between gradient and secant, in the median',
  lossChange: 'change of the margin at random points close by',
  zeroSteps: 'of the steps with a gradient of exactly zero; should be 0',
  zeroCoordinates: 'of the coordinates of gradients exactly zero',
  plantedFound: 'of planted points found; should be 100',
  plantedFoundAtRandom: 'of planted points found at random',
};

/** `0.03137…` → `8/255`. */
function radius(eps: number): string {
  const levels = eps * 255;
  return Math.abs(levels - Math.round(levels)) < 1e-6 && levels >= 0.5 && eps < 1 ? `${Math.round(levels)}/255` : String(Number(eps.toPrecision(4)));
}

const estimate = (share: number, { low, high }: { readonly low: number; readonly high: number }): string => `${percent(share)} ${interval(low, high)}`;

/**
 * A report card of one model, in the manner of RobustBench: clean and robust accuracy, the threat, the attacks, and every reason to doubt the number.
 *
 * @returns Content for {@link htmlReport} and {@link markdownReport}; the first section is {@link robustnessVerdict}.
 * @throws {@link ArgumentError} if an option is unknown or the name missing.
 * @see {@link https://arxiv.org/abs/2010.09670 | Croce et al. 2021}, RobustBench.
 *
 * @example
 * ```ts
 * import { markdownReport, robustnessCard } from '@moe/report';
 *
 * const interval = { low: 0.3, high: 0.5 };
 * const result = { robustAccuracy: 0.4, interval };
 * const attacks = [{ name: 'pgd', options: { eps: 8 / 255, norm: 'Linf' }, meanPerturbation: 0.03, ...result }];
 * const evaluation = { data: { name: 'digits', split: 'test' }, modelId: '', seed: 1, engine: 'cpu', versions: {}, examples: 100, clean: { accuracy: 0.9, interval }, attacks, worstCase: result, findings: [] };
 * console.log(markdownReport(robustnessCard({ name: 'ResNet-18', evaluation })).includes('8/255')); // true
 * ```
 */
export function robustnessCard(options: RobustnessCardOptions): ReportContent {
  expectKnownKeys('robustnessCard', options, ['name', 'evaluation', 'diagnosis', 'meta']);
  const { name, evaluation, diagnosis, meta = {} } = options;
  expectArgument('robustnessCard', 'name', typeof name === 'string' && name.trim() !== '', 'be a text', name);
  const { data, seed, engine, versions, modelId, examples } = evaluation;
  return {
    title: name,
    subtitle: `Robustness on ${examples} examples of ${data.name}, ${data.split}`,
    sections: [
      { title: 'Verdict', text: robustnessVerdict(options), table: summary(evaluation) },
      { title: 'Attacks', text: 'Each attack by itself, on every example that is right without attack.', table: attackTable(evaluation) },
      doubtSection(options),
      ...(diagnosis?.measures ? [experimentSection(diagnosis, diagnosis.measures)] : []),
    ],
    meta: { data: `${data.name}, ${data.split}`, examples, seed, engine, ...versions, ...(modelId === '' ? {} : { model: modelId }), ...meta },
  };
}

function summary({ clean, worstCase, attacks, examples }: CardEvaluation) {
  const balls = new Set(attacks.map(({ options }) => ballOf(options)).filter((ball) => ball !== ''));
  return table({
    columns: [{ key: 'what', header: 'Card' }, { key: 'value', header: '' }],
    rows: [
      { what: 'Clean accuracy', value: estimate(clean.accuracy, clean.interval) },
      { what: 'Robust accuracy, worst case', value: estimate(worstCase.robustAccuracy, worstCase.interval) },
      { what: 'Threat', value: [...balls].join('; ') || 'not stated by the attacks' },
      { what: 'Examples', value: String(examples) },
    ],
    caption: 'Shares of all examples, with 95 % Wilson intervals. The worst case counts examples that no attack fooled.',
  });
}

function ballOf(options: object): string {
  const { eps, norm } = options as { readonly eps?: unknown; readonly norm?: unknown };
  return typeof eps === 'number' && typeof norm === 'string' ? `${norm}, eps ${radius(eps)}` : '';
}

const attackTable = ({ attacks }: CardEvaluation) =>
  table({
    columns: [
      { key: 'name', header: 'Attack' },
      { key: 'ball', header: 'Ball' },
      { key: 'robust', header: 'Leaves', align: 'right' },
      { key: 'length', header: 'Mean perturbation', align: 'right', format: (value) => value.toPrecision(3) },
    ],
    rows: attacks.map(({ name, options, robustAccuracy, interval: range, meanPerturbation }) => ({ name, ball: ballOf(options), robust: estimate(robustAccuracy, range), length: meanPerturbation })),
  });

function doubtSection(options: RobustnessCardOptions): ReportSection {
  const doubts = doubtsOf(options);
  const title = 'Reasons for doubt';
  if (doubts.length === 0) return { title, text: options.diagnosis === undefined ? 'No check of the evaluation found one.' : 'No check of the evaluation and none of the experiments found one.' };
  return { title, text: doubts.map(({ severity, id, message, advice }) => `${severity}, ${id}: ${message} ${advice}`) };
}

function experimentSection({ eps, norm, examples }: CardDiagnosis, measures: object): ReportSection {
  const found = new Map(Object.entries(measures) as [string, number | null][]);
  const curve = [['robustHalfEps', 0.5], ['robust', 1], ['robustDoubleEps', 2]].flatMap(([key, factor]) => {
    const y = found.get(String(key));
    return typeof y === 'number' ? [{ x: Number(factor) * eps, y }] : [];
  });
  return {
    title: 'Experiments of known outcome',
    text: `On ${examples.length} examples that are right without attack; ${norm}, eps ${radius(eps)}. An honest model gives no more to a stronger attacker than to a weaker one.`,
    table: table({
      columns: [
        { key: 'share', header: 'Share', align: 'right', format: (value) => percent(value) },
        { key: 'what', header: '' },
      ],
      rows: Object.entries(EXPERIMENTS).filter(([key]) => found.has(key)).map(([key, what]) => ({ what, share: found.get(key) ?? null })),
    }),
    figures: curve.length < 2 ? [] : [lineChart({ title: 'What the attack leaves', xTitle: `eps, ${norm}`, yTitle: 'share of the examples', yFormat: 'percent', series: [{ name: 'attack', points: [{ x: 0, y: 1 }, ...curve] }] })],
  };
}
