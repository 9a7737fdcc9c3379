// What is trained and attacked: rows, scales, and the complete configuration of one run.
import { ArgumentError } from '@moe/core';

/** A model of the comparison. */
export interface Row {
  readonly name: string;
  /** Factor of the feed-forward width of every block. */
  readonly widen: number;
  readonly moe: { readonly numExperts: number; readonly topK: number } | null;
  /** Row whose finished weights are fine-tuned adversarially. */
  readonly from: string | null;
}

const row = (name: string, more: Partial<Row> = {}): Row => ({ name, widen: 1, moe: null, from: null, ...more });
const experts = (numExperts: number, topK: number): Row => row(`e${numExperts}-k${topK}`, { moe: { numExperts, topK } });
const tuned = (base: Row): Row => ({ ...base, name: `${base.name}-tuned`, from: base.name });

const dense = row('dense');
/** Half of the blocks mix, so this costs what K = 2 does. */
const wide = row('dense-wide', { widen: 1.5 });
const [moe1, moe2] = [experts(8, 1), experts(8, 2)] as const;

/** Those that carry the comparison at equal cost first; then more experts, more experts a token, and fine-tuning. */
export const ROWS: readonly Row[] = [dense, moe1, wide, moe2, experts(2, 1), experts(4, 1), experts(16, 1), experts(8, 4), tuned(dense), tuned(moe1)];

/** Sizes of data, network, training and attacks. */
export interface Scale {
  readonly data: { readonly trainImages: number; readonly testImages: number };
  readonly network: { readonly patch: number; readonly width: number; readonly depth: number; readonly heads: number; readonly hidden: number };
  readonly training: { readonly epochs: number; readonly batchSize: number; readonly learningRate: number; readonly weightDecay: number };
  readonly fineTuning: { readonly epochs: number; readonly eps: number; readonly steps: number; readonly learningRate: number };
  readonly attacks: {
    /** Radii of the released attack, for pixels in [0, 1]. */
    readonly released: readonly number[];
    readonly releasedSteps: number;
    /** Radii of PGD and AutoPGD. */
    readonly standard: readonly number[];
    readonly pgdSteps: number;
    readonly apgdSteps: number;
    /** The suite of attacks on routing, on the first so many images. */
    readonly routing: { readonly eps: number; readonly images: number; readonly steps: number };
  };
  /** Images, clean and under AutoPGD, on which experts are exchanged, and of which tokens are looked at one by one. */
  readonly redundancy: { readonly eps: number; readonly images: number; readonly steps: number; readonly looked: number };
}

const PIXEL = 1 / 255;

export const SCALES = {
  'fashion-small': {
    data: { trainImages: 6000, testImages: 200 },
    network: { patch: 7, width: 64, depth: 4, heads: 4, hidden: 128 },
    training: { epochs: 6, batchSize: 100, learningRate: 1e-3, weightDecay: 1e-4 },
    fineTuning: { epochs: 2, eps: 4 * PIXEL, steps: 3, learningRate: 5e-4 },
    attacks: { released: [1, 2, 4, 8].map((n) => n * PIXEL), releasedSteps: 40, standard: [2, 4].map((n) => n * PIXEL), pgdSteps: 20, apgdSteps: 20, routing: { eps: 2 * PIXEL, images: 32, steps: 10 } },
    redundancy: { eps: 2 * PIXEL, images: 200, steps: 20, looked: 50 },
  },
  /** Seconds; for tests. */
  tiny: {
    data: { trainImages: 100, testImages: 10 },
    network: { patch: 14, width: 8, depth: 2, heads: 2, hidden: 8 },
    training: { epochs: 1, batchSize: 25, learningRate: 1e-2, weightDecay: 0 },
    fineTuning: { epochs: 1, eps: 4 * PIXEL, steps: 1, learningRate: 1e-3 },
    attacks: { released: [2 * PIXEL], releasedSteps: 2, standard: [4 * PIXEL], pgdSteps: 2, apgdSteps: 4, routing: { eps: 4 * PIXEL, images: 4, steps: 1 } },
    redundancy: { eps: 4 * PIXEL, images: 10, steps: 2, looked: 4 },
  },
} as const satisfies Readonly<Record<string, Scale>>;

export type ScaleName = keyof typeof SCALES;

/** Everything that decides a result, but the engine. */
export interface Config extends Scale {
  readonly row: Row;
  readonly seed: number;
}

/** One model and one seed, with a folder of this name. */
export interface Run {
  readonly name: string;
  readonly config: Config;
}

export const runName = (row: string, seed: number): string => `${row}-s${seed}`;

/** Runs of the chosen rows, seed by seed. */
export function runsOf({ scale, only, seeds }: { readonly scale: ScaleName; readonly only?: readonly string[] | undefined; readonly seeds: readonly number[] }): Run[] {
  const missing = only?.find((name) => !ROWS.some((row) => row.name === name));
  if (missing !== undefined) throw new ArgumentError(`--only: must be rows (${ROWS.map(({ name }) => name).join(', ')}), got ${missing}.`);
  const rows = only === undefined ? ROWS : ROWS.filter(({ name }) => only.includes(name));
  return seeds.flatMap((seed) => rows.map((row) => ({ name: runName(row.name, seed), config: { ...SCALES[scale], row, seed } })));
}
