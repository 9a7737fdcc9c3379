// Robust Experts, attack-strength sweep: a curve that does not fall with the radius, or falls with steps that should not matter, is a fault of the evaluation.
import { evaluate, pgd } from '@moe/attacks';
import { type Interval } from '@moe/core';
import { type ReportSection, interval, lineChart, percent, table } from '@moe/report';
import { attackedData } from '../data.js';
import { finishedModel } from '../finished-model.js';
import type { Config, ModelName } from '../schema.js';

const STEPS = [1, 5, 10, 20, 40];
/** Radii as multiples of that of the evaluation. */
const RADII = [0.25, 0.5, 1, 2, 4];

interface Point {
  readonly steps: number;
  readonly eps: number;
  readonly robust: number;
  readonly interval: Interval;
}

export interface StrengthRecord {
  readonly model: ModelName;
  readonly images: number;
  readonly clean: number;
  readonly bySteps: readonly Point[];
  readonly byRadius: readonly Point[];
}

/** Attacks the deployed model by PGD without a random start, of more steps and in larger balls. */
export async function measureStrength(model: ModelName, config: Config, folder: string, images: number): Promise<StrengthRecord> {
  const data = await attackedData(config);
  const { logits, network } = await finishedModel(model, { config, folder }, data);
  const { eps: radius, pgdSteps, batchSize } = config.evaluation;
  const plan = [...STEPS.map((steps) => ({ steps, eps: radius })), ...RADII.map((factor) => ({ steps: pgdSteps, eps: factor * radius }))];
  const attacks = plan.map(({ steps, eps }, i) => pgd({ eps, steps, start: 'none', label: String(i) }));
  const evaluation = await evaluate({ model: logits('gated'), data, attacks, seed: config.seed, batchSize, limit: Math.min(images, data.length) });
  network.dispose();
  const points = plan.map((point, i) => ({ ...point, robust: evaluation.attacks[i]!.robustAccuracy, interval: evaluation.attacks[i]!.interval }));
  return { model, images: evaluation.examples, clean: evaluation.clean.accuracy, bySteps: points.slice(0, STEPS.length), byRadius: points.slice(STEPS.length) };
}

/** Curves and table. */
export function strengthSection({ model, images, clean, bySteps, byRadius }: StrengthRecord): ReportSection {
  const curve = (points: readonly Point[], x: 'steps' | 'eps') => [{ name: model, points: [{ x: 0, y: clean }, ...points.map((point) => ({ x: point[x], y: point.robust }))] }];
  return {
    title: 'Strength of the attack',
    text: `PGD without a random start on ${images} test images.`,
    table: table({
      columns: [
        { key: 'steps', header: 'Steps', align: 'right' },
        { key: 'eps', header: 'Radius', align: 'right', format: (value) => value.toFixed(4) },
        { key: 'robust', header: 'Accuracy', align: 'right', format: (value) => percent(value) },
        { key: 'interval', header: '95 %', format: ({ low, high }) => interval(low, high) },
      ],
      rows: [...bySteps, ...byRadius],
    }),
    figures: [
      lineChart({ title: 'By steps', series: curve(bySteps, 'steps'), xTitle: 'steps', yTitle: 'accuracy', yFormat: 'percent' }),
      lineChart({ title: 'By radius', series: curve(byRadius, 'eps'), xTitle: 'eps', yTitle: 'accuracy', yFormat: 'percent' }),
    ],
  };
}
