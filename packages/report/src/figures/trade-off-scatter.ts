import { type Interval, expectKnownKeys } from '@moe/core';
import { displayWidth } from '../internal/display-width.js';
import { distinct, expectFilled, expectProportion, expectText } from '../internal/expect.js';
import { type Figure, figure } from './figure.js';
import { placeLabels } from './place-labels.js';
import { INK, MUTED, categoricalScale } from './theme.js';

export interface TradeOffPoint {
  readonly label: string;
  /** Clean accuracy, 1 is 100 %. */
  readonly clean: number;
  /** Robust accuracy, 1 is 100 %. */
  readonly robust: number;
  readonly cleanInterval?: Interval;
  readonly robustInterval?: Interval;
  /** Gives the colour, e.g. the model. */
  readonly group: string;
  /** Gives the symbol, e.g. `'gated'` or `'expert'`. */
  readonly shape: string;
}

export interface TradeOffScatterOptions {
  readonly points: readonly TradeOffPoint[];
  /** @defaultValue `'Clean and robust accuracy'` */
  readonly title?: string;
  readonly subtitle?: string;
  /** @defaultValue `'Clean accuracy'` */
  readonly xTitle?: string;
  /** Name the attack here. @defaultValue `'Robust accuracy'` */
  readonly yTitle?: string;
}

const WIDTH = 660;
const HEIGHT = 440;
const LABEL_SIZE = 12;
const SHAPES = ['circle', 'diamond', 'triangle-up', 'square', 'cross', 'triangle-down'] as const;

/**
 * Robust against clean accuracy, one labelled symbol a model or expert, with bars for the intervals.
 *
 * @throws {@link ArgumentError} if there is no point, or an accuracy is not in [0, 1].
 *
 * @example
 * ```ts
 * import { tradeOffScatter } from '@moe/report';
 *
 * const figure = tradeOffScatter({ points: [{ label: 'dense', clean: 0.82, robust: 0.41, group: 'dense', shape: 'model' }] });
 * console.log((await figure.toSvg()).length > 0); // true
 * ```
 */
export function tradeOffScatter(options: TradeOffScatterOptions): Figure {
  expectKnownKeys('tradeOffScatter', options, ['points', 'title', 'subtitle', 'xTitle', 'yTitle']);
  const { points, title = 'Clean and robust accuracy', subtitle, xTitle = 'Clean accuracy', yTitle = 'Robust accuracy' } = options;
  expectFilled('tradeOffScatter', 'points', points);
  points.forEach((point, index) => {
    const path = `points[${index}]`;
    expectKnownKeys(`tradeOffScatter: ${path}`, point, ['label', 'clean', 'robust', 'cleanInterval', 'robustInterval', 'group', 'shape']);
    for (const name of ['label', 'group', 'shape'] as const) expectText('tradeOffScatter', `${path}.${name}`, point[name]);
    expectProportion('tradeOffScatter', `${path}.clean`, point.clean, point.cleanInterval);
    expectProportion('tradeOffScatter', `${path}.robust`, point.robust, point.robustInterval);
  });

  const xDomain = domain(points.flatMap(({ clean, cleanInterval }) => [clean, cleanInterval?.low ?? clean, cleanInterval?.high ?? clean]));
  const yDomain = domain(points.flatMap(({ robust, robustInterval }) => [robust, robustInterval?.low ?? robust, robustInterval?.high ?? robust]));
  const toPixel = (value: number, [low, high]: Domain, size: number): number => ((value - low) / (high - low)) * size;
  const fromPixel = (pixel: number, [low, high]: Domain, size: number): number => low + (pixel / size) * (high - low);
  const right = (value: number): number => toPixel(value, xDomain, WIDTH);
  const down = (value: number): number => HEIGHT - toPixel(value, yDomain, HEIGHT);
  const places = placeLabels(
    points.map(({ label, clean, robust, cleanInterval, robustInterval }) => ({
      x: right(clean),
      y: down(robust),
      labelWidth: 0.6 * LABEL_SIZE * displayWidth(label),
      left: right(cleanInterval?.low ?? clean),
      right: right(cleanInterval?.high ?? clean),
      top: down(robustInterval?.high ?? robust),
      bottom: down(robustInterval?.low ?? robust),
    })),
    WIDTH,
    HEIGHT,
  );
  const values = points.map(({ label, clean, robust, cleanInterval, robustInterval, group, shape }, index) => {
    const { x, y, nearX, nearY, far } = places[index]!;
    return {
      label, clean, robust, group, shape, far,
      cleanLow: cleanInterval?.low ?? clean,
      cleanHigh: cleanInterval?.high ?? clean,
      robustLow: robustInterval?.low ?? robust,
      robustHigh: robustInterval?.high ?? robust,
      labelX: fromPixel(x, xDomain, WIDTH),
      labelY: fromPixel(HEIGHT - y, yDomain, HEIGHT),
      nearX: fromPixel(nearX, xDomain, WIDTH),
      nearY: fromPixel(HEIGHT - nearY, yDomain, HEIGHT),
    };
  });

  const axis = { format: '.0%', tickCount: 8, tickMinStep: 0.01 };
  const x = (field: string) => ({ field, type: 'quantitative', title: xTitle, scale: { domain: xDomain, nice: false, zero: false }, axis });
  const y = (field: string) => ({ field, type: 'quantitative', title: yTitle, scale: { domain: yDomain, nice: false, zero: false }, axis });
  const groups = distinct(points.map(({ group }) => group));
  const shapes = distinct(points.map(({ shape }) => shape));
  const legend = (names: readonly string[]) => (names.length === 1 ? { legend: null } : { title: null });
  const color = { field: 'group', type: 'nominal', ...legend(groups), scale: categoricalScale(groups) };
  const shape = { field: 'shape', type: 'nominal', ...legend(shapes), scale: { domain: shapes, range: shapes.map((_, index) => SHAPES[index % SHAPES.length]) } };
  return figure(title, `Scatter plot of ${yTitle} against ${xTitle}, ${points.length} points.`, {
    title: { text: title, ...(subtitle === undefined ? {} : { subtitle }) },
    width: WIDTH,
    height: HEIGHT,
    data: { values },
    layer: [
      { mark: { type: 'rule', opacity: 0.4, strokeWidth: 1.5 }, encoding: { x: x('cleanLow'), x2: { field: 'cleanHigh' }, y: y('robust'), color } },
      { mark: { type: 'rule', opacity: 0.4, strokeWidth: 1.5 }, encoding: { x: x('clean'), y: y('robustLow'), y2: { field: 'robustHigh' }, color } },
      {
        transform: [{ filter: 'datum.far' }],
        mark: { type: 'rule', color: MUTED, strokeWidth: 0.75 },
        encoding: { x: x('clean'), x2: { field: 'nearX' }, y: y('robust'), y2: { field: 'nearY' } },
      },
      { mark: { type: 'point', filled: true, size: 130, opacity: 1, stroke: '#ffffff', strokeWidth: 1 }, encoding: { x: x('clean'), y: y('robust'), color, shape } },
      {
        mark: { type: 'text', align: 'left', baseline: 'middle', fontSize: LABEL_SIZE, color: INK },
        encoding: { x: x('labelX'), y: y('labelY'), text: { field: 'label', type: 'nominal' } },
      },
    ],
  });
}

type Domain = readonly [number, number];

/* A little more than the data, in steps of 5 points, within [0, 1]. */
function domain(values: readonly number[]): Domain {
  const step = 0.05;
  const low = Math.floor((Math.min(...values) - 0.01) / step) * step;
  const high = Math.ceil((Math.max(...values) + 0.01) / step) * step;
  return [Math.max(0, low), Math.min(1, high)];
}
