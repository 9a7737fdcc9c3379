// Shapes: H W pixels, C channels; images row-major [H,W,C].
import type { Bounds, Rng } from '@moe/core';
import type { Image } from './image.js';

/** Top left corner of a window. */
export interface Window {
  readonly top: number;
  readonly left: number;
}

/** First points and candidates of Square in one norm, for one flat image; both write to `out`. */
export interface SquareMoves {
  /** A point on the edge of the ball of radius `eps`. */
  start(clean: Float32Array, eps: number, rng: Rng, out: Float32Array): void;
  /** The best point changed in windows of some share of the pixels, in the same ball. */
  propose(clean: Float32Array, eps: number, best: Float32Array, share: number, rng: Rng, out: Float32Array): void;
}

/** Draws of a candidate that changes nothing before it is asked all the same. */
const REDRAWS = 8;

const sideOf = (share: number, { height, width }: Image): number => Math.max(Math.round(Math.sqrt(share * height * width)), 1);

/** A place for a window of the given sides, every one with the same chance; takes two draws. */
export function windowAt(draws: Float32Array, from: number, rows: number, columns: number, { height, width }: Image): Window {
  return { top: Math.min(Math.floor(draws[from]! * (height - rows + 1)), height - rows), left: Math.min(Math.floor(draws[from + 1]! * (width - columns + 1)), width - columns) };
}

const signOf = (draw: number): number => (draw < 0.5 ? -1 : 1);

/** Moves of Square in L-inf. */
export function stripeMoves([low, high]: Bounds, image: Image): SquareMoves {
  const { height, width, channels } = image;
  const signs = new Float64Array(channels);
  return {
    // Vertical stripes at the edge of the ball, one sign for each column and channel.
    start(clean, eps, rng, out) {
      const draws = rng.stream('stripes').uniform(width * channels);
      for (let i = 0; i < height * width * channels; i++) out[i] = Math.min(Math.max(clean[i]! + eps * signOf(draws[i % (width * channels)]!), low), high);
    },

    // The best point with one square at the edge of the ball, one sign for each channel.
    propose(clean, eps, best, share, rng, out) {
      const side = sideOf(share, image);
      const [rows, columns] = [Math.min(side, height), Math.min(side, width)];
      for (let attempt = 0; attempt < REDRAWS; attempt++) {
        const draws = rng.at(attempt).uniform(2 + channels);
        const { top, left } = windowAt(draws, 0, rows, columns, image);
        for (let c = 0; c < channels; c++) signs[c] = eps * signOf(draws[2 + c]!);
        out.set(best);
        let changed = false;
        for (let y = top; y < top + rows; y++) {
          for (let x = left; x < left + columns; x++) {
            for (let c = 0; c < channels; c++) {
              const i = (y * width + x) * channels + c;
              out[i] = Math.min(Math.max(clean[i]! + signs[c]!, low), high);
              changed ||= out[i] !== best[i];
            }
          }
        }
        if (changed) return;
      }
    },
  };
}
