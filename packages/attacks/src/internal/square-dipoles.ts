// Shapes: H W pixels, C channels, D = H·W·C; images row-major [H,W,C].
import type { Bounds } from '@moe/core';
import { projectL1 } from '../geometry/l1.js';
import { projectL2 } from '../geometry/l2.js';
import type { Image } from './image.js';
import { type SquareMoves, type Window, windowAt } from './square-linf.js';

const TINY = 1e-12;

/** Norms of these moves. Lengths are of one power of the norm, so that those of disjoint windows add up; the flag is whether that is the square. */
type DipoleNorm = 'L1' | 'L2';

const powerOf = (value: number, squared: boolean): number => (squared ? value * value : Math.abs(value));

const rootOf = (sum: number, squared: boolean): number => (squared ? Math.sqrt(sum) : sum);

/** Factor that gives values a length. */
function factorFor(length: number, values: Float64Array, squared: boolean): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += powerOf(values[i]!, squared);
  return length / (rootOf(total, squared) + TINY);
}

function toUnitLength(values: Float64Array, squared: boolean): Float64Array {
  const factor = factorFor(1, values, squared);
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
  return values;
}

/** Pyramid `[rows,columns]` of unit length, highest in the middle. */
function bump(rows: number, columns: number, squared: boolean): Float64Array {
  const values = new Float64Array(rows * columns);
  const fall = squared ? 2 : 4;
  const [middleY, middleX] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  for (let t = 0; t <= Math.max(middleY, middleX); t++) {
    for (let y = Math.max(middleY - t, 0); y <= Math.min(middleY + t, rows - 1); y++) {
      for (let x = Math.max(middleX - t, 0); x <= Math.min(middleX + t, columns - 1); x++) values[y * columns + x]! += 1 / (t + 1) ** fall;
    }
  }
  return toUnitLength(values, squared);
}

/** Two bumps of opposite sign, one above the other or side by side, of unit length: `[rows,columns]`. */
export function dipole(norm: DipoleNorm, rows: number, columns: number, sideways: boolean): Float64Array {
  const squared = norm === 'L2';
  const [long, across] = sideways ? [columns, rows] : [rows, columns];
  const upper = Math.floor(long / 2);
  const values = new Float64Array(long * across);
  if (upper > 0) values.set(bump(upper, across, squared));
  values.set(bump(long - upper, across, squared).map((value) => -value), upper * across);
  const unit = toUnitLength(values, squared);
  return sideways ? Float64Array.from({ length: rows * columns }, (_, i) => unit[(i % columns) * rows + Math.floor(i / columns)]!) : unit;
}

const signOf = (draw: number): number => (draw < 0.5 ? -1 : 1);

/** A dipole, and where in an image its numbers lie from those of its window's corner, in one channel. */
interface Shape {
  readonly values: Float64Array;
  readonly offsets: Int32Array;
}

/** Dipoles of one image size, each made once. */
function dipoleShapes(norm: DipoleNorm, { width, channels }: Image): (rows: number, columns: number, sideways: boolean) => Shape {
  const known = new Map<number, Shape>();
  return (rows, columns, sideways) => {
    const key = 2 * (rows * (width + 1) + columns) + Number(sideways);
    let shape = known.get(key);
    if (shape === undefined) {
      const offsets = Int32Array.from({ length: rows * columns }, (_, i) => (Math.floor(i / columns) * width + (i % columns)) * channels);
      shape = { values: dipole(norm, rows, columns, sideways), offsets };
      known.set(key, shape);
    }
    return shape;
  };
}

/** Moves of Square in L1 and L2 on one image size; keeps its shapes and working space. */
export function dipoleMoves(norm: DipoleNorm, bounds: Bounds, image: Image): SquareMoves {
  const { height, width, channels } = image;
  const squared = norm === 'L2';
  const project = squared ? projectL2 : projectL1;
  const shapeOf = dipoleShapes(norm, image);
  const change = new Float64Array(height * width * channels);
  const mix = new Float64Array(height * width);
  const cornerOf = ({ top, left }: Window): number => (top * width + left) * channels;

  /** Moves what one channel changes in a window to another one, along a shape; `spare` is what is left in all, as a power. */
  const move = (from: number, to: number, { values, offsets }: Shape, sign: number, spare: number): void => {
    const count = offsets.length;
    let [own, other] = [0, 0];
    for (let i = 0; i < count; i++) {
      const at = to + offsets[i]!;
      mix[i] = change[at]!;
      own += powerOf(change[at]!, squared);
      change[at] = 0;
    }
    // What both windows hold has been counted, and is zero by now.
    for (let i = 0; i < count; i++) {
      const at = from + offsets[i]!;
      other += powerOf(change[at]!, squared);
      change[at] = 0;
    }
    const unit = rootOf(own, squared) + TINY;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const mixed = values[i]! * sign + mix[i]! / unit;
      mix[i] = mixed;
      total += powerOf(mixed, squared);
    }
    const held = own + other;
    const length = squared ? Math.sqrt(spare / channels + held) : spare + held * channels;
    const factor = length / (rootOf(total, squared) + TINY);
    for (let i = 0; i < count; i++) change[to + offsets[i]!] = mix[i]! * factor;
  };

  /** Writes clean image plus so many times the change, projected. */
  const finish = (clean: Float32Array, factor: number, eps: number, out: Float32Array): void => {
    for (let i = 0; i < clean.length; i++) out[i] = clean[i]! + change[i]! * factor;
    project(out, clean, { eps, bounds }, out);
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
        const corner = cornerOf({ top: offsetY + Math.floor(tile / tilesX) * rows, left: offsetX + (tile % tilesX) * columns });
        const { values, offsets } = shapeOf(rows, columns, draws[0]! < 0.5);
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < offsets.length; i++) change[corner + offsets[i]! + c] = values[i]! * signOf(draws[1 + c]!);
        }
      }
      finish(clean, factorFor(eps, change, squared), eps, out);
    },

    // The best point with the change of one window moved to another, which gets whatever length is left as well.
    propose(clean, eps, best, share, rng, out) {
      const wanted = Math.max(Math.round(Math.sqrt(share * height * width)), 3);
      const odd = wanted % 2 === 0 ? wanted + 1 : wanted;
      const [rows, columns] = [Math.min(odd, height), Math.min(odd, width)];
      const draws = rng.uniform(5 + channels);
      const to = cornerOf(windowAt(draws, 0, rows, columns, image));
      const from = cornerOf(windowAt(draws, 2, rows, columns, image));
      const shape = shapeOf(rows, columns, draws[4]! < 0.5);
      let spent = 0;
      for (let i = 0; i < change.length; i++) {
        const moved = best[i]! - clean[i]!;
        change[i] = moved;
        spent += powerOf(moved, squared);
      }
      const spare = Math.max(powerOf(eps, squared) - spent, 0);
      for (let c = 0; c < channels; c++) move(from + c, to + c, shape, signOf(draws[5 + c]!), spare);
      // In L1 the projection shortens; in L2 it would, too, but a change that bounds have cut is lengthened first.
      finish(clean, squared ? factorFor(eps, change, squared) : 1, eps, out);
    },
  };
}
