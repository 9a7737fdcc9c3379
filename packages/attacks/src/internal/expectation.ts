import type { Measurement } from './measure.js';

/** Means of what passes with different draws of a model's noise measured; wrong where more than half of them are. */
export function expectation(passes: readonly Measurement[]): Measurement {
  const [first] = passes as readonly [Measurement];
  if (passes.length === 1) return first;
  const rows = first.loss.length;
  const logits = first.logits.map((_, k) => mean(passes, (pass) => pass.logits[k]!));
  const loss = first.loss.map((_, i) => mean(passes, (pass) => pass.loss[i]!));
  const wrong = first.wrong.map((_, i) => Number(mean(passes, (pass) => pass.wrong[i]!) > 0.5));
  // Each pass's direction at its share of the largest scale, so that none underflows that counts.
  const scale = first.scale.map((_, i) => Math.max(...passes.map((pass) => pass.scale[i]!)));
  if (first.gradient === undefined) return { logits, loss, wrong, gradient: undefined, scale };
  const gradient = new Float32Array(first.gradient.length);
  const size = gradient.length / rows;
  for (const pass of passes) {
    for (let i = 0; i < rows; i++) {
      const share = (scale[i] === 0 ? 1 : pass.scale[i]! / scale[i]!) / passes.length;
      for (let k = i * size; k < (i + 1) * size; k++) gradient[k]! += share * pass.gradient![k]!;
    }
  }
  return { logits, loss, wrong, gradient, scale };
}

const mean = (passes: readonly Measurement[], value: (pass: Measurement) => number): number => passes.reduce((total, pass) => total + value(pass), 0) / passes.length;
