// Which pixels a convolution multiplies by which taps of its filter.
import type { Axis } from './window.js';

/** Where a tap lies that meets a place of the result along one axis, and which place of the input it meets there. */
interface Meeting {
  readonly tap: number;
  readonly source: number;
}

/** Those of each place along one axis. */
type Meetings = readonly (readonly Meeting[])[];

/** Whose places are the targets: those of the result of a convolution, or those of its input, which is the result of its gradient. */
type Direction = 'forwards' | 'backwards';

const MEETINGS: Readonly<Record<Direction, (axis: Axis) => Meetings>> = {
  forwards: ({ size, taps, dilation, stride, before, out }) => meetingsOf(out, taps, (place, tap) => place * stride + tap * dilation - before, size),
  backwards: ({ size, taps, dilation, stride, before, out }) => meetingsOf(size, taps, (place, tap) => (place + before - tap * dilation) / stride, out),
};

function meetingsOf(places: number, taps: number, sourceOf: (place: number, tap: number) => number, sources: number): Meetings {
  return Array.from({ length: places }, (_, place) =>
    Array.from({ length: taps }, (__, tap) => ({ tap, source: sourceOf(place, tap) })).filter(({ source }) => Number.isInteger(source) && source >= 0 && source < sources),
  );
}

/** Taps that lie side by side in a row of the filter, and the places of the result that all of them meet. */
interface Run {
  readonly row: number;
  /** Of the first one. */
  readonly column: number;
  readonly taps: number;
  /** Places of the result, in one image. */
  readonly targets: number[];
  /** Places of the input: for each target one for each tap. */
  readonly sources: number[];
}

/** A convolution as one matrix product for each run of taps; a row of the products is part of one pixel of the result. */
export interface TapPlan {
  readonly runs: readonly Run[];
  /** How many rows the product of each run has, by the width of the runs, in their order. */
  readonly widths: readonly { readonly taps: number; readonly counts: readonly number[] }[];
  /** Pixels of the input, one for each row and tap, run after run. */
  readonly sources: Int32Array;
  /** Pixels of the result, one for each row. */
  readonly targets: Int32Array;
  /** Rows in the order of the pixels that they are part of, and those pixels. */
  readonly ordered: { readonly rows: Int32Array; readonly targets: Int32Array };
}

/** Along a row: each tap alone, or neighbours together, whose product is then one sum less to take. */
const split = (meetings: readonly Meeting[], join: boolean): Meeting[][] => {
  const parts: Meeting[][] = [];
  for (const meeting of meetings) {
    const last = parts.at(-1);
    if (join && last?.at(-1)!.tap === meeting.tap - 1) last.push(meeting);
    else parts.push([meeting]);
  }
  return parts;
};

/** `join`: whether neighbouring taps make one product; else there is one for each tap, in their order. */
function makePlan(batch: number, axes: readonly [Axis, Axis], direction: Direction, join: boolean): TapPlan {
  const [rows, columns] = axes.map(MEETINGS[direction]) as [Meetings, Meetings];
  const [height, width] = axes.map(({ size, out }) => (direction === 'forwards' ? size : out)) as [number, number];
  const [kh, kw] = axes.map(({ taps }) => taps) as [number, number];
  const runs = new Map<number, Run>();
  const runOf = (row: number, column: number, taps: number): Run => {
    const key = (row * kw + column) * (kw + 1) + taps;
    const run = runs.get(key) ?? { row, column, taps, targets: [], sources: [] };
    runs.set(key, run);
    return run;
  };
  if (!join) for (let tap = 0; tap < kh * kw; tap++) runOf(Math.floor(tap / kw), tap % kw, 1);
  rows.forEach((inRow, i) => {
    columns.forEach((inColumn, j) => {
      for (const part of split(inColumn, join)) {
        for (const row of inRow) {
          const run = runOf(row.tap, part[0]!.tap, part.length);
          run.targets.push(i * columns.length + j);
          for (const { source } of part) run.sources.push(row.source * width + source);
        }
      }
    });
  });
  const all = [...runs.values()].sort((a, b) => a.taps - b.taps);
  const counted = all.map((run) => ({ taps: run.taps, count: batch * run.targets.length }));
  const repeat = (places: (run: Run) => readonly number[], size: number): Int32Array =>
    Int32Array.from(all.flatMap((run) => Array.from({ length: batch }, (_, image) => places(run).map((place) => image * size + place)).flat()));
  const targets = repeat((run) => run.targets, rows.length * columns.length);
  return {
    runs: all,
    widths: [...new Set(all.map(({ taps }) => taps))].map((taps) => ({ taps, counts: counted.flatMap((run) => (run.taps === taps ? [run.count] : [])) })),
    sources: repeat(({ sources }) => sources, height * width),
    targets,
    ordered: orderByTarget(targets),
  };
}

function orderByTarget(targets: Int32Array): TapPlan['ordered'] {
  const rows = Int32Array.from(targets.keys()).sort((a, b) => targets[a]! - targets[b]! || a - b);
  return { rows, targets: rows.map((row) => targets[row]!) };
}

/** Plans that are kept: to make one takes a tenth of the products' time, and a network asks for a few of them again and again. */
const KEPT = 64;
const kept = new Map<string, TapPlan>();

/** The plan for a convolution of so many images, or for its gradients, made at most once while it is in use. */
export function tapPlan(batch: number, axes: readonly [Axis, Axis], direction: Direction, join: boolean): TapPlan {
  const key = JSON.stringify([batch, axes, direction, join]);
  const plan = kept.get(key) ?? makePlan(batch, axes, direction, join);
  kept.delete(key);
  kept.set(key, plan);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return plan;
}
