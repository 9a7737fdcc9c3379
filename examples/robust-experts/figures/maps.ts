// What gates look at, and how they see the images: sensitivity maps, and gate scores in the plane.
import { type ReportSection, escapeHtml, imageGrid } from '@moe/report';
import { isDense } from '../jobs.js';
import type { GateProbe } from '../results.js';
import { fixedLayer } from '../summary.js';
import { pca, tsne } from './embed.js';
import { type FinishedRun, label } from './load.js';

const PERPLEXITY = 30;
const ITERATIONS = 500;
const SIZE = 320;
const MARGIN = 12;
const COLOURS = ['#4c78a8', '#f58518', '#54a24b', '#e45756', '#72b7b2', '#b279a2', '#ff9da6', '#9d755d', '#bab0ac', '#eeca3b'];

export type ProbedGate = Omit<GateProbe, 'sensitivity'>;

const gateOf = (run: FinishedRun) => {
  const record = run.results.training.find(({ model }) => model === run.model)!;
  const layer = fixedLayer(record.moeLayers, run.config);
  return run.results.probes.find(({ model }) => model === run.model)?.gates.find((gate) => gate.layer === layer);
};

/** Runs that were probed, with the layer whose experts are fixed. */
export const probed = (runs: readonly FinishedRun[]) => runs.flatMap((run) => (isDense(run.model) ? [] : [{ run, gate: gateOf(run) }])).flatMap(({ run, gate }) => (gate === undefined ? [] : [{ run, gate }]));

type SensitivityMap = GateProbe['sensitivity'][number];

/** One row of maps per image: for a clean one a column for each expert, then one for each number of steps of PGD. */
function mapGrid({ results: { data } }: FinishedRun, maps: readonly SensitivityMap[]): string {
  const [height = 0, width = 0] = data.inputShape;
  const caption = ({ expert, gate, max, steps }: SensitivityMap): string => `${steps === undefined ? `expert ${expert}` : `PGD-${steps}, expert ${expert}`}\ngate ${gate.toFixed(2)}, max ${max.toExponential(1)}`;
  const images = [...new Set(maps.map(({ image }) => image))];
  return imageGrid({
    rows: images.map((image) => {
      const some = maps.filter((map) => map.image === image);
      return { label: data.classNames[some[0]!.label]!, images: some.map((map) => ({ data: Uint8Array.from(Buffer.from(map.map, 'base64')), height, width, channels: 1, caption: caption(map) })) };
    }),
  });
}

/** Maps of every gate of every run. */
export function sensitivitySection(runs: readonly FinishedRun[]): ReportSection {
  const grids = runs.flatMap((run) => {
    const gates = run.results.probes.find(({ model }) => model === run.model)?.gates ?? [];
    return gates.map(({ layer, sensitivity }) => `<h3>${escapeHtml(label(run))} (${escapeHtml(layer)})</h3>${mapGrid(run, sensitivity)}`);
  });
  const text = 'How much each pixel moves the gate of an expert: |∂ cross-entropy(gate, expert) / ∂ pixel|, summed over channels; white is the largest. After PGD of so many steps for the expert that serves the clean image.';
  return { title: 'Sensitivity maps of gates', text, html: grids.join('\n') };
}

/** Points as SVG, one colour for each group. */
function scatter(title: string, points: readonly (readonly [number, number])[], groups: readonly number[], names: readonly string[]): string {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const place = (value: number, all: readonly number[]): string => {
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return (MARGIN + ((value - low) / (high - low || 1)) * (SIZE - 2 * MARGIN)).toFixed(1);
  };
  const colour = (group: number): string => COLOURS[group % COLOURS.length]!;
  const dots = points.map(([x, y], i) => `<circle cx="${place(x, xs)}" cy="${place(y, ys)}" r="2.5" fill="${colour(groups[i]!)}"><title>${escapeHtml(names[groups[i]!]!)}</title></circle>`);
  const legend = names.map((name, i) => `<tspan x="${SIZE + 8}" dy="16" fill="${colour(i)}">● ${escapeHtml(name)}</tspan>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escapeHtml(title)}" width="${SIZE + 130}" height="${SIZE}" font-size="12"><rect width="${SIZE}" height="${SIZE}" fill="none" stroke="#ccc"/>${dots.join('')}<text y="0">${legend.join('')}</text></svg>`;
}

/** The scores of a gate in the plane. */
export const planes = ({ logits }: ProbedGate) => [
  { name: 'principal components', points: pca(logits) },
  { name: 't-SNE', points: tsne(logits, { perplexity: Math.min(PERPLEXITY, (logits.length - 1) / 3), iterations: ITERATIONS }) },
];

/** Gate scores of test images in the plane, by class and by expert. */
export function gateSpaceSection(runs: readonly FinishedRun[]): ReportSection {
  const pictures = probed(runs).map(({ run, gate }) => {
    const { classNames } = run.results.data;
    const experts = gate.logits[0]!.map((_, i) => `expert ${i}`);
    const chosen = gate.logits.map((row) => row.indexOf(Math.max(...row)));
    const scatters = planes(gate).map(({ name, points }) => `<p>${name}</p>${scatter(`${name} by class`, points, gate.labels, classNames)}${scatter(`${name} by expert`, points, chosen, experts)}`);
    return `<h3>${escapeHtml(label(run))} (${escapeHtml(gate.layer)})</h3>${scatters.join('')}`;
  });
  return { title: 'Gate scores in the plane', text: `Scores of the gate for ${probed(runs)[0]?.gate.logits.length ?? 0} clean test images; left by class, right by chosen expert.`, html: pictures.join('\n') };
}
