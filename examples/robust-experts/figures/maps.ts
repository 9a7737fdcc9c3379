// What gates look at, and how they see the images: sensitivity maps, and gate scores in the plane.
import { type ReportSection, escapeHtml, imageGrid } from '@moe/report';
import { isDense } from '../jobs.js';
import { fixedLayer } from '../summary.js';
import { pca, tsne } from './embed.js';
import { type FinishedRun, label } from './load.js';

const PERPLEXITY = 30;
const ITERATIONS = 500;
const SIZE = 320;
const MARGIN = 12;
const COLOURS = ['#4c78a8', '#f58518', '#54a24b', '#e45756', '#72b7b2', '#b279a2', '#ff9da6', '#9d755d', '#bab0ac', '#eeca3b'];

const gateOf = (run: FinishedRun) => {
  const record = run.results.training.find(({ model }) => model === run.model)!;
  const layer = fixedLayer(record.moeLayers, run.config);
  return run.results.probes.find(({ model }) => model === run.model)?.gates.find((gate) => gate.layer === layer);
};

const probed = (runs: readonly FinishedRun[]) => runs.flatMap((run) => (isDense(run.model) ? [] : [{ run, gate: gateOf(run) }])).flatMap(({ run, gate }) => (gate === undefined ? [] : [{ run, gate }]));

/** One row of maps per image, one column per expert. */
export function sensitivitySection(runs: readonly FinishedRun[]): ReportSection {
  const grids = probed(runs).map(({ run, gate }) => {
    const [height = 0, width = 0] = run.results.data.inputShape;
    const images = [...new Set(gate.sensitivity.map(({ image }) => image))];
    const rows = images.map((image) => {
      const maps = gate.sensitivity.filter((map) => map.image === image);
      return {
        label: run.results.data.classNames[maps[0]!.label]!,
        images: maps.map((map) => ({ data: Uint8Array.from(Buffer.from(map.map, 'base64')), height, width, channels: 1, caption: `expert ${map.expert}, gate ${map.gate.toFixed(2)}, max ${map.max.toExponential(1)}` })),
      };
    });
    return `<h3>${escapeHtml(label(run))} (${escapeHtml(gate.layer)})</h3>${imageGrid({ rows })}`;
  });
  return { title: 'Sensitivity maps of gates', text: 'How much each pixel moves the gate of an expert: |∂ cross-entropy(gate, expert) / ∂ pixel|, summed over channels; white is the largest.', html: grids.join('\n') };
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

/** Gate scores of test images in the plane, by class and by expert. */
export function gateSpaceSection(runs: readonly FinishedRun[]): ReportSection {
  const pictures = probed(runs).map(({ run, gate }) => {
    const { classNames } = run.results.data;
    const experts = gate.logits[0]!.map((_, i) => `expert ${i}`);
    const chosen = gate.logits.map((row) => row.indexOf(Math.max(...row)));
    const perplexity = Math.min(PERPLEXITY, (gate.logits.length - 1) / 3);
    const pairs = [
      ['principal components', pca(gate.logits)],
      ['t-SNE', tsne(gate.logits, { perplexity, iterations: ITERATIONS })],
    ] as const;
    return `<h3>${escapeHtml(label(run))} (${escapeHtml(gate.layer)})</h3>${pairs.map(([name, points]) => `<p>${name}</p>${scatter(`${name} by class`, points, gate.labels, classNames)}${scatter(`${name} by expert`, points, chosen, experts)}`).join('')}`;
  });
  return { title: 'Gate scores in the plane', text: `Scores of the gate for ${probed(runs)[0]?.gate.logits.length ?? 0} clean test images; left by class, right by chosen expert.`, html: pictures.join('\n') };
}
