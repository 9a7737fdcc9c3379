// The gate's space shown by the images themselves: all of them, those of each expert, and those of each class.
import { existsSync } from 'node:fs';
import { type PixelImage, type ReportSection, escapeHtml, imageGrid } from '@moe/report';
import { routedData } from '../data.js';
import type { Config } from '../schema.js';
import { type FinishedRun, label } from './load.js';
import { type ProbedGate, planes, probed } from './maps.js';

const CELLS = 16;
const BYTE_MAX = 255;
type Point = readonly [number, number];

interface Pictures {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** One after the other. */
  readonly bytes: Uint8Array;
}

/** Image of each cell of a square over the points: of the chosen ones in it, that nearest to its centre. */
export function cellsOf(points: readonly Point[], chosen: readonly boolean[], cells: number): ReadonlyMap<number, number> {
  const at = ([0, 1] as const).map((axis) => {
    const values = points.map((point) => point[axis]);
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    return values.map((value) => ((value - low) / span) * (cells - 1e-9));
  });
  const nearest = new Map<number, { readonly image: number; readonly distance: number }>();
  points.forEach((_, image) => {
    if (!chosen[image]) return;
    const [x, y] = at.map((values) => values[image]!) as [number, number];
    const cell = Math.floor(y) * cells + Math.floor(x);
    const distance = (x - Math.floor(x) - 0.5) ** 2 + (y - Math.floor(y) - 0.5) ** 2;
    if (distance < (nearest.get(cell)?.distance ?? Infinity)) nearest.set(cell, { image, distance });
  });
  return new Map([...nearest].map(([cell, { image }]) => [cell, image]));
}

/** The images in their cells, white elsewhere. */
function mosaic({ height, width, channels, bytes }: Pictures, points: readonly Point[], chosen: readonly boolean[]): PixelImage {
  const row = width * channels;
  const data = new Uint8Array(CELLS * CELLS * height * row).fill(BYTE_MAX);
  for (const [cell, image] of cellsOf(points, chosen, CELLS)) {
    const [top, left] = [Math.floor(cell / CELLS) * height, (cell % CELLS) * row];
    for (let y = 0; y < height; y++) data.set(bytes.subarray((image * height + y) * row, (image * height + y + 1) * row), (top + y) * CELLS * row + left);
  }
  return { data, height: CELLS * height, width: CELLS * width, channels };
}

/** The images whose gate scores are kept; undefined where they cannot be read or are others. */
async function picturesOf(config: Config, { labels }: ProbedGate): Promise<Pictures | undefined> {
  const { folder } = config.data;
  if (folder !== null && !existsSync(folder)) return undefined;
  const data = await routedData(config);
  const batch = await data.read(labels.map((_, i) => i));
  if (labels.some((wanted, i) => batch.labels[i] !== wanted)) return undefined;
  const [height, width, channels] = data.inputShape;
  return { height, width, channels, bytes: Uint8Array.from(batch.inputs, (value) => Math.round(BYTE_MAX * value)) };
}

async function mosaicsOf({ run, gate }: ReturnType<typeof probed>[number], folder: string | undefined): Promise<string> {
  const config = folder === undefined ? run.config : { ...run.config, data: { ...run.config.data, folder } };
  const pictures = await picturesOf(config, gate);
  const heading = `<h3>${escapeHtml(label(run))} (${escapeHtml(gate.layer)})</h3>`;
  if (pictures === undefined) return `${heading}<p>The test images are not in ${escapeHtml(String(config.data.folder))}: pass --data.</p>`;
  const experts = gate.logits.map((row) => row.indexOf(Math.max(...row)));
  const subsets: readonly (readonly [string, readonly boolean[]])[] = [
    ['all', gate.labels.map(() => true)],
    ...gate.logits[0]!.map((_, expert) => [`expert ${expert}`, experts.map((chosen) => chosen === expert)] as const),
    ...run.results.data.classNames.map((name, index) => [name, gate.labels.map((of) => of === index)] as const),
  ];
  const spaces = planes(gate);
  const rows = subsets.map(([name, chosen]) => ({ label: name, images: spaces.map(({ points }) => mosaic(pictures, points, chosen)) }));
  return `${heading}${imageGrid({ rows, columns: spaces.map(({ name }) => name), scale: 1 })}`;
}

/**
 * Images in the place that the gate's scores give them.
 *
 * @param folder - of the data, where it is not the one that the runs name.
 */
export async function mosaicSection(runs: readonly FinishedRun[], folder: string | undefined): Promise<ReportSection> {
  const grids = await Promise.all(probed(runs).map((entry) => mosaicsOf(entry, folder)));
  return { title: 'Images in the space of the gate', text: 'Test images where their gate scores lie in the plane; of several in one place the one nearest to its centre. All, those of each expert, those of each class.', html: grids.join('\n') };
}
