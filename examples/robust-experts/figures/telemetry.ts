// Routing under attack while a model trains: what --telemetry asked for.
import type { ObservedRouting } from '@moe/adv-train';
import { type LineSeries, type ReportSection, lineChart } from '@moe/report';
import { type FinishedRun, label } from './load.js';

/** Curves over epochs of one layer: RA of the model, RA-R (routes that no search could flip), RA-E of each expert alone, flips under attack, evenness of the load. */
export function telemetrySeries(epochs: readonly { readonly epoch: number; readonly seen: ObservedRouting }[], layer: string): LineSeries[] {
  const curve = (name: string, of: (seen: ObservedRouting) => number): LineSeries => ({ name, points: epochs.map(({ epoch, seen }) => ({ x: epoch + 1, y: of(seen) })) });
  const inLayer = (seen: ObservedRouting) => seen.layers.find((observed) => observed.layer === layer)!;
  const experts = epochs[0]!.seen.layers.find((observed) => observed.layer === layer)!.experts;
  return [
    curve('RA', ({ robustAccuracy }) => robustAccuracy),
    curve('RA-R', (seen) => inLayer(seen).stable),
    ...experts.map((_, expert) => curve(`RA-E, expert ${expert}`, (seen) => inLayer(seen).experts[expert]!)),
    curve('routes flipped', (seen) => inLayer(seen).flipRate),
    curve('load entropy', (seen) => inLayer(seen).loadEntropy),
  ];
}

export function telemetrySection(runs: readonly FinishedRun[]): ReportSection {
  const observed = runs.flatMap((run) => {
    const { history } = run.results.training.find(({ model }) => model === run.model)!;
    // Written by the observer of that name.
    const epochs = history.epochs.flatMap(({ epoch, observed: { routing } = {} }) => (routing === undefined ? [] : [{ epoch, seen: routing as unknown as ObservedRouting }]));
    return epochs.length === 0 ? [] : [{ run, epochs }];
  });
  if (observed.length === 0) return { title: 'Routing under attack over the epochs', text: 'No run was made with --telemetry.' };
  return {
    title: 'Routing under attack over the epochs',
    text: 'On a few training images, by attacks of few steps: for the course, not for results.',
    figures: observed.flatMap(({ run, epochs }) =>
      epochs[0]!.seen.layers.map(({ layer }) => lineChart({ title: `${label(run)} (${layer})`, series: telemetrySeries(epochs, layer), xTitle: 'epoch', yTitle: 'share of the images', yFormat: 'percent' })),
    ),
  };
}
