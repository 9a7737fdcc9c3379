// Shapes: H W pixels, C channels, D = H·W·C; images row-major [H,W,C].
import type { Bounds } from '@moe/core';
import { projectL1 } from '../geometry/l1.js';
import { projectL2 } from '../geometry/l2.js';
import type { Image } from './image.js';
import { type SquareMoves, type Window, windowAt } from './square-linf.js';

const TINY = 1e-12;

/** What differs between the norms; lengths are of one power of the norm, so that those of disjoint windows add up. */
interface Sums {
  /** How fast a bump falls off. */
  readonly fall: number;
  readonly power: (value: number) => number;
  readonly root: (sum: number) => number;
  readonly project: typeof projectL1;
  /** Length of the moved change of one channel, from the power sums of what is left in all and of what the windows held. */
  readonly placed: (spare: number, held: number, channels: number) => number;
}

const SUMS: Readonly<Record<'L1' | 'L2', Sums>> = {
  L1: { fall: 4, power: Math.abs, root: (sum) => sum, project: projectL1, placed: (spare, held, channels) => spare + held * channels },
  L2: { fall: 2, power: (value) => value * value, root: Math.sqrt, project: projectL2, placed: (spare, held, channels) => Math.sqrt(spare / channels + held) },
};

const lengthOf = (values: Float64Array, { power, root }: Sums): number => root(values.reduce((total, value) => total + power(value), 0));

function rescale(values: Float64Array, length: number, sums: Sums): Float64Array {
  const factor = length / (lengthOf(values, sums) + TINY);
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
  return values;
}

/** Pyramid `[rows,columns]` of unit length, highest in the middle. */
function bump(rows: number, columns: number, sums: Sums): Float64Array {
  const values = new Float64Array(rows * columns);
  const [middleY, middleX] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  for (let t = 0; t <= Math.max(middleY, middleX); t++) {
    for (let y = Math.max(middleY - t, 0); y <= Math.min(middleY + t, rows - 1); y++) {
      for (let x = Math.max(middleX - t, 0); x <= Math.min(middleX + t, columns - 1); x++) values[y * columns + x]! += 1 / (t + 1) ** sums.fall;
    }
  }
  return rescale(values, 1, sums);
}

/** Two bumps of opposite sign, one above the other or side by side, of unit length: `[rows,columns]`. */
export function dipole(norm: 'L1' | 'L2', rows: number, columns: number, sideways: boolean): Float64Array {
  const sums = SUMS[norm];
  const [long, across] = sideways ? [columns, rows] : [rows, columns];
  const upper = Math.floor(long / 2);
  const values = new Float64Array(long * across);
  if (upper > 0) values.set(bump(upper, across, sums));
  values.set(bump(long - upper, across, sums).map((value) => -value), upper * across);
  const unit = rescale(values, 1, sums);
  return sideways ? Float64Array.from({ length: rows * columns }, (_, i) => unit[(i % columns) * rows + Math.floor(i / columns)]!) : unit;
}

const signOf = (draw: number): number => (draw < 0.5 ? -1 : 1);

/** Moves of Square in L1 and L2 on one image size; keeps its shapes and working space. */
export function dipoleMoves(norm: 'L1' | 'L2', bounds: Bounds, image: Image): SquareMoves {
  const { height, width, channels } = image;
  const sums = SUMS[norm];
  const { power, root, placed } = sums;
  const change = new Float64Array(height * width * channels);
  const shapes = new Map<string, Float64Array>();
  const shapeOf = (rows: number, columns: number, sideways: boolean): Float64Array => {
    const key = `${rows},${columns},${sideways}`;
    const shape = shapes.get(key) ?? dipole(norm, rows, columns, sideways);
    shapes.set(key, shape);
    return shape;
  };
  const mixes = new Map<number, Float64Array>();
  const mixOf = (size: number): Float64Array => {
    const mix = mixes.get(size) ?? new Float64Array(size);
    mixes.set(size, mix);
    return mix;
  };
  const at = ({ top, left }: Window, columns: number, i: number, c: number): number => ((top + Math.floor(i / columns)) * width + left + (i % columns)) * channels + c;
  /** Writes clean image plus change, projected. */
  const finish = (clean: Float32Array, eps: number, out: Float32Array): void => {
    for (let i = 0; i < clean.length; i++) out[i] = clean[i]! + change[i]!;
    sums.project(out, clean, { eps, bounds }, out);
  };

  return {
    // Five by five tiles of dipoles, scaled to the edge of the ball.
    start(clean, eps, rng, out) {
      const [rows, columns] = [Math.max(Math.floor(height / 5), 1), Math.max(Math.floor(width / 5), 1)];
      const [tilesY, tilesX] = [Math.min(5, Math.floor(height / rows)), Math.min(5, Math.floor(width / columns))];
      const [offsetY, offsetX] = [Math.floor((height - tilesY * rows) / 2), Math.floor((width - tilesX * columns) / 2)];
      change.fill(0);
      for (let tile = 0; tile < tilesY * tilesX; tile++) {
        const draws = rng.stream('tiles').at(tile).uniform(1 + channels);
        const window = { top: offsetY + Math.floor(tile / tilesX) * rows, left: offsetX + (tile % tilesX) * columns };
        shapeOf(rows, columns, draws[0]! < 0.5).forEach((value, i) => {
          for (let c = 0; c < channels; c++) change[at(window, columns, i, c)] = value * signOf(draws[1 + c]!);
        });
      }
      rescale(change, eps, sums);
      finish(clean, eps, out);
    },

    // The best point with the change of one window moved to another, which gets whatever length is left as well.
    propose(clean, eps, best, share, rng, out) {
      const wanted = Math.max(Math.round(Math.sqrt(share * height * width)), 3);
      const odd = wanted % 2 === 0 ? wanted + 1 : wanted;
      const [rows, columns] = [Math.min(odd, height), Math.min(odd, width)];
      const draws = rng.uniform(5 + channels);
      const [to, from] = [windowAt(draws.subarray(0, 2), rows, columns, image), windowAt(draws.subarray(2, 4), rows, columns, image)];
      const shape = shapeOf(rows, columns, draws[4]! < 0.5);
      const mix = mixOf(rows * columns);
      const [down, right] = [from.top - to.top, from.left - to.left];
      let spent = 0;
      for (let i = 0; i < change.length; i++) {
        change[i] = best[i]! - clean[i]!;
        spent += power(change[i]!);
      }
      const spare = Math.max(power(eps) - spent, 0);
      for (let c = 0; c < channels; c++) {
        let [own, other] = [0, 0];
        for (let i = 0; i < mix.length; i++) {
          own += power(change[at(to, columns, i, c)]!);
          const [y, x] = [Math.floor(i / columns) + down, (i % columns) + right];
          const shared = y >= 0 && y < rows && x >= 0 && x < columns;
          if (!shared) other += power(change[at(from, columns, i, c)]!);
        }
        const unit = root(own) + TINY;
        for (let i = 0; i < mix.length; i++) mix[i] = shape[i]! * signOf(draws[5 + c]!) + change[at(to, columns, i, c)]! / unit;
        rescale(mix, placed(spare, own + other, channels), sums);
        for (let i = 0; i < mix.length; i++) change[at(from, columns, i, c)] = 0;
        for (let i = 0; i < mix.length; i++) change[at(to, columns, i, c)] = mix[i]!;
      }
      // In L1 the projection shortens; in L2 it would, too, but a change that bounds have cut is lengthened first.
      if (norm === 'L2') rescale(change, eps, sums);
      finish(clean, eps, out);
    },
  };
}
