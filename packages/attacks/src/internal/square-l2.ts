// Shapes: H W pixels, C channels; images row-major [H,W,C].
import type { Rng } from '@moe/core';
import type { Ball } from '../geometry/ball.js';
import { projectL2 } from '../geometry/l2.js';
import { type Image, windowAt } from './square-linf.js';

const TINY = 1e-12;

/** Pyramid `[rows,columns]` of unit length, highest in the middle. */
function bump(rows: number, columns: number): Float64Array {
  const values = new Float64Array(rows * columns);
  const [middleY, middleX] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  for (let t = 0; t <= Math.max(middleY, middleX); t++) {
    for (let y = Math.max(middleY - t, 0); y <= Math.min(middleY + t, rows - 1); y++) {
      for (let x = Math.max(middleX - t, 0); x <= Math.min(middleX + t, columns - 1); x++) values[y * columns + x]! += 1 / (t + 1) ** 2;
    }
  }
  return scaled(values, 1);
}

/** Two bumps of opposite sign, one above the other or side by side, of unit length: `[rows,columns]`. */
export function dipole(rows: number, columns: number, sideways: boolean): Float64Array {
  const [long, across] = sideways ? [columns, rows] : [rows, columns];
  const upper = Math.floor(long / 2);
  const values = new Float64Array(long * across);
  if (upper > 0) values.set(bump(upper, across));
  values.set(bump(long - upper, across).map((value) => -value), upper * across);
  const unit = scaled(values, 1);
  return sideways ? Float64Array.from({ length: rows * columns }, (_, i) => unit[(i % columns) * rows + Math.floor(i / columns)]!) : unit;
}

function scaled(values: Float64Array, length: number): Float64Array {
  const norm = Math.sqrt(values.reduce((total, value) => total + value * value, 0));
  return values.map((value) => (value * length) / (norm + TINY));
}

const signOf = (draw: number): number => (draw < 0.5 ? -1 : 1);

/** Five by five tiles of dipoles, scaled to the edge of the ball. */
export function startL2(clean: Float32Array, ball: Ball, { height, width, channels }: Image, rng: Rng, out: Float32Array): void {
  const [rows, columns] = [Math.max(Math.floor(height / 5), 1), Math.max(Math.floor(width / 5), 1)];
  const change = new Float64Array(clean.length);
  const tilesY = Math.min(5, Math.floor(height / rows));
  const tilesX = Math.min(5, Math.floor(width / columns));
  const [offsetY, offsetX] = [Math.floor((height - tilesY * rows) / 2), Math.floor((width - tilesX * columns) / 2)];
  for (let tile = 0; tile < tilesY * tilesX; tile++) {
    const draws = rng.stream('tiles').at(tile).uniform(1 + channels);
    const shape = dipole(rows, columns, draws[0]! < 0.5);
    const [top, left] = [offsetY + Math.floor(tile / tilesX) * rows, offsetX + (tile % tilesX) * columns];
    shape.forEach((value, i) => {
      for (let c = 0; c < channels; c++) change[((top + Math.floor(i / columns)) * width + left + (i % columns)) * channels + c] = value * signOf(draws[1 + c]!);
    });
  }
  const full = scaled(change, ball.eps);
  for (let i = 0; i < clean.length; i++) out[i] = clean[i]! + full[i]!;
  projectL2(out, clean, ball, out);
}

/** The best point with the change of one window moved to another, which gets whatever length is left as well. */
export function proposeL2(clean: Float32Array, best: Float32Array, ball: Ball, image: Image, share: number, rng: Rng, out: Float32Array): void {
  const { height, width, channels } = image;
  const wanted = Math.max(Math.round(Math.sqrt(share * height * width)), 3);
  const odd = wanted % 2 === 0 ? wanted + 1 : wanted;
  const [rows, columns] = [Math.min(odd, height), Math.min(odd, width)];
  const draws = rng.uniform(5 + channels);
  const [to, from] = [windowAt(draws.subarray(0, 2), rows, columns, image), windowAt(draws.subarray(2, 4), rows, columns, image)];
  const shape = dipole(rows, columns, draws[4]! < 0.5);
  const change = Float64Array.from(best, (value, i) => value - clean[i]!);
  const spent = change.reduce((total, value) => total + value * value, 0);
  const spare = Math.max(ball.eps ** 2 - spent, 0) / channels;
  const inside = ({ top, left }: { top: number; left: number }, pixel: number): boolean => {
    const [y, x] = [Math.floor(pixel / width), pixel % width];
    return y >= top && y < top + rows && x >= left && x < left + columns;
  };
  for (let c = 0; c < channels; c++) {
    let [union, own] = [0, 0];
    for (let pixel = 0; pixel < height * width; pixel++) {
      const value = change[pixel * channels + c]! ** 2;
      if (inside(to, pixel)) own += value;
      if (inside(to, pixel) || inside(from, pixel)) union += value;
    }
    const at = (i: number): number => ((to.top + Math.floor(i / columns)) * width + to.left + (i % columns)) * channels + c;
    const mixed = shape.map((value, i) => value * signOf(draws[5 + c]!) + change[at(i)]! / (Math.sqrt(own) + TINY));
    const placed = scaled(mixed, Math.sqrt(spare + union));
    for (let pixel = 0; pixel < height * width; pixel++) if (inside(from, pixel)) change[pixel * channels + c] = 0;
    placed.forEach((value, i) => (change[at(i)] = value));
  }
  const full = scaled(change, ball.eps);
  for (let i = 0; i < clean.length; i++) out[i] = clean[i]! + full[i]!;
  projectL2(out, clean, ball, out);
}
