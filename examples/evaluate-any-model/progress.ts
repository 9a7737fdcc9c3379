import { duration } from '@moe/report';
import { Presets, SingleBar } from 'cli-progress';

const PLAIN_INTERVAL_MS = 10_000;
/** Share of the work after which its speed is known well enough for an estimate. */
const MIN_SHARE = 0.02;

/** Shows how far the work is, on stderr: a bar on a terminal, a line every ten seconds elsewhere. */
export class Progress {
  readonly #weights: ReadonlyMap<string, number>;
  readonly #fractions = new Map<string, number>();
  readonly #started = Date.now();
  #first: number | undefined;
  #lastLine = Date.now();
  #bar: SingleBar | undefined;

  /** @param weights - relative cost of each task, by name. */
  constructor(weights: ReadonlyMap<string, number>) {
    this.#weights = weights;
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({ format: '{bar} {percentage} % | {left} left | {text}', hideCursor: true, linewrap: false, barsize: 28, stream: process.stderr }, Presets.shades_classic);
    this.#bar.start(1, 0, { left: '…', text: 'loading' });
  }

  update(task: string, fraction: number, text: string): void {
    this.#fractions.set(task, Math.max(fraction, this.#fractions.get(task) ?? 0));
    const total = [...this.#weights.values()].reduce((a, b) => a + b, 0);
    const done = [...this.#fractions].reduce((sum, [name, share]) => sum + share * (this.#weights.get(name) ?? 0), 0) / total;
    // What an earlier run did says nothing about today's speed.
    this.#first ??= done;
    const today = done - this.#first;
    const left = today < MIN_SHARE ? '…' : duration(((1 - done) * (Date.now() - this.#started)) / today);
    if (this.#bar) this.#bar.update(done, { left, text });
    else if (Date.now() - this.#lastLine >= PLAIN_INTERVAL_MS) {
      this.#lastLine = Date.now();
      process.stderr.write(`${(100 * done).toFixed(0).padStart(3)} % | ${left} left | ${text}\n`);
    }
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
