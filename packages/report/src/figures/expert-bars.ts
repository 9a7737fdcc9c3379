import { type Interval, expectKnownKeys } from '@moe/core';
import { distinct, expectDistinct, expectFilled, expectProportion, expectText } from '../internal/expect.js';
import { type Figure, figure } from './figure.js';
import { INK, MUTED, OKABE_ITO } from './theme.js';

export interface ExpertBar {
  /** Bars of one model stand together. */
  readonly model: string;
  /** What was measured, e.g. `'gated'` or `'expert 0'`. */
  readonly path: string;
  /** Accuracy, 1 is 100 %. */
  readonly value: number;
  readonly interval?: Interval;
  /** The bar that the others of its model are compared with, the gated model. @defaultValue false */
  readonly reference?: boolean;
  /** A robust expert. @defaultValue false */
  readonly highlighted?: boolean;
}

export interface ExpertBarsOptions {
  readonly groups: readonly ExpertBar[];
  /** Dashed line across all models. */
  readonly baseline?: { readonly label: string; readonly value: number };
  /** @defaultValue `'Accuracy of every expert alone'` */
  readonly title?: string;
  readonly subtitle?: string;
  /** @defaultValue `'Accuracy'` */
  readonly yTitle?: string;
  /** Names of the three kinds of bars in the legend. @defaultValue gated model, robust expert, other expert */
  readonly kinds?: { readonly reference: string; readonly highlighted: string; readonly other: string };
}

const HEIGHT = 300;
const STEP = 66;
const LETTER = 7.4;
const ROW_WIDTH = 960;
const TICKS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/**
 * Accuracy of every path of every model as bars with intervals; the gated model as a line, robust experts in a strong colour.
 *
 * @throws {@link ArgumentError} if there is no bar, a value is not in [0, 1], or a model has two paths of one name.
 *
 * @example
 * ```ts
 * import { expertBars } from '@moe/report';
 *
 * const figure = expertBars({
 *   groups: [
 *     { model: 'BlockMoE', path: 'gated', value: 0.41, reference: true },
 *     { model: 'BlockMoE', path: 'expert 0', value: 0.45, highlighted: true },
 *   ],
 *   baseline: { label: 'dense', value: 0.4 },
 * });
 * console.log((await figure.toSvg()).length > 0); // true
 * ```
 */
export function expertBars(options: ExpertBarsOptions): Figure {
  expectKnownKeys('expertBars', options, ['groups', 'baseline', 'title', 'subtitle', 'yTitle', 'kinds']);
  const { groups, baseline, title = 'Accuracy of every expert alone', subtitle, yTitle = 'Accuracy' } = options;
  const { kinds = { reference: 'gated model', highlighted: 'robust expert', other: 'other expert' } } = options;
  expectFilled('expertBars', 'groups', groups);
  groups.forEach((bar, index) => {
    expectKnownKeys(`expertBars: groups[${index}]`, bar, ['model', 'path', 'value', 'interval', 'reference', 'highlighted']);
    expectText('expertBars', `groups[${index}].model`, bar.model);
    expectText('expertBars', `groups[${index}].path`, bar.path);
    expectProportion('expertBars', `groups[${index}].value`, bar.value, bar.interval);
  });
  if (baseline !== undefined) {
    expectText('expertBars', 'baseline.label', baseline.label);
    expectProportion('expertBars', 'baseline.value', baseline.value, undefined);
  }
  const models = distinct(groups.map(({ model }) => model));
  const ofModel = models.map((model) => groups.filter((bar) => bar.model === model));
  models.forEach((model, index) => expectDistinct('expertBars', `paths of ${model}`, ofModel[index]!.map(({ path }) => path)));

  const highest = Math.max(baseline?.value ?? 0, ...groups.map(({ value, interval }) => interval?.high ?? value));
  const top = Math.ceil((highest + 0.01) * 10) / 10 + 0.03; // above the highest tick, so that no tick label reaches into the title
  const kindOf = ({ reference, highlighted }: ExpertBar): string => (reference ? kinds.reference : highlighted ? kinds.highlighted : kinds.other);
  const color = { domain: [kinds.reference, kinds.highlighted, kinds.other], range: [OKABE_ITO.blue, OKABE_ITO.vermilion, '#a9bccd'] };
  const lines = [
    ...(groups.some(({ reference }) => reference) ? [`Solid line: ${kinds.reference}`] : []),
    ...(baseline === undefined ? [] : [`Dashed line: ${baseline.label} (${(baseline.value * 100).toFixed(1)}%)`]),
  ].join('. ');
  const columns = Math.max(1, Math.floor(ROW_WIDTH / panelWidth(Math.max(...ofModel.map((bars) => bars.length)))));
  const panels = ofModel.map((bars, index) => panel(models[index]!, bars, index % columns === 0));

  function panel(model: string, bars: readonly ExpertBar[], first: boolean): object {
    const paths = bars.map(({ path }) => path);
    const values = bars.map((bar) => ({
      path: bar.path,
      value: bar.value,
      low: bar.interval?.low ?? bar.value,
      high: bar.interval?.high ?? bar.value,
      kind: kindOf(bar),
      ...numberPlace(bar, top),
    }));
    const x = { field: 'path', type: 'nominal', title: null, sort: null, scale: { domain: paths, paddingInner: 0.3, paddingOuter: 0.2 }, axis: { labelAngle: paths.some((path) => path.length * LETTER > STEP) ? -35 : 0, domain: false, ticks: false } };
    const y = (field: string) => ({ field, type: 'quantitative', title: first ? yTitle : null, scale: { domain: [0, top], nice: false }, axis: { format: '.0%', values: TICKS.filter((tick) => tick < top), labels: first, ticks: first, domain: false } });
    const reference = bars.find((bar) => bar.reference);
    const across = (value: number, mark: object) => ({ data: { values: [{ value }] }, mark: { type: 'rule', ...mark }, encoding: { y: y('value') } });
    return {
      title: { text: model, fontSize: 14, anchor: 'middle', frame: 'group', offset: 8, limit: 1.35 * panelWidth(bars.length) },
      width: panelWidth(bars.length),
      height: HEIGHT,
      data: { values },
      layer: [
        { mark: { type: 'bar' }, encoding: { x, y: y('value'), color: { field: 'kind', type: 'nominal', title: null, scale: color, legend: { orient: 'bottom', direction: 'horizontal' } } } },
        ...(reference === undefined ? [] : [across(reference.value, { color: OKABE_ITO.blue, strokeWidth: 1.5 })]),
        ...(baseline === undefined ? [] : [across(baseline.value, { color: INK, strokeWidth: 1.5, strokeDash: [6, 4] })]),
        { mark: { type: 'rule', color: INK, strokeWidth: 1.5 }, encoding: { x, y: y('low'), y2: { field: 'high' } } },
        {
          mark: { type: 'text', dy: -9, fontSize: 13 },
          encoding: {
            x,
            y: y('foot'),
            text: { field: 'value', type: 'quantitative', format: '.1%' },
            color: { condition: { test: 'datum.onDark', value: '#ffffff' }, value: INK },
          },
        },
      ],
    };
  }

  return figure(title, `Bar chart of ${yTitle} for ${groups.length} paths of ${models.length} models. ${lines}`, {
    title: { text: title, subtitle: [...(subtitle === undefined ? [] : [subtitle]), ...(lines === '' ? [] : [lines])], subtitleColor: MUTED },
    spacing: 18,
    columns,
    concat: panels,
  });
}

const panelWidth = (bars: number): number => STEP * Math.max(3, bars);

/* The number stands at the foot of its bar, where no line crosses it, or above everything where the bar is too low to hold it. */
function numberPlace({ value, interval, reference, highlighted }: ExpertBar, top: number): { foot: number; onDark: boolean } {
  const fits = (interval?.low ?? value) > 0.1 * top;
  return fits ? { foot: 0, onDark: (reference ?? false) || (highlighted ?? false) } : { foot: interval?.high ?? value, onDark: false };
}
