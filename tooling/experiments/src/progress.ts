import { type SingleBar, Presets, SingleBar as Bar } from 'cli-progress';

const PLAIN_INTERVAL_MS = 10_000;
/** Share of the work after which its speed is known well enough for an estimate. */
const MIN_SHARE = 0.02;

/** `75` → `1 min 15 s`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** Shows how far the whole experiment is, on stderr: a bar on a terminal, a line every ten seconds elsewhere. */
export class Progress {
  readonly #started = Date.now();
  readonly #running = new Map<string, { done: number; text: string }>();
  #bar: SingleBar | undefined;
  #total = 0;
  /** Finished in earlier runs, so it says nothing about today's speed. */
  #earlier = 0;
  #finished = 0;
  #lastLine = 0;

  start(total: number, earlier: number): void {
    this.#total = total;
    this.#earlier = this.#finished = earlier;
    if (process.stderr.isTTY) {
      this.#bar = new Bar({ format: '{bar} {percentage} % | {left} left | {text}', hideCursor: true, linewrap: false, barsize: 28, stream: process.stderr }, Presets.shades_classic);
      this.#bar.start(total, earlier, { left: '…', text: 'starting' });
    } else if (earlier > 0) this.log(`continuing at ${((100 * earlier) / total).toFixed(0)} %`);
  }

  update(job: string, done: number, text: string): void {
    this.#running.set(job, { done, text });
    this.#show();
  }

  finishJob(job: string, cost: number): void {
    this.#running.delete(job);
    this.#finished += cost;
    this.#show();
  }

  log(text: string): void {
    if (this.#bar) {
      process.stderr.write(`\r\u001B[2K${text}\n`);
      this.#bar.render();
    } else process.stderr.write(`${text}\n`);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #show(): void {
    const running = [...this.#running.values()];
    const done = this.#finished + running.reduce((sum, job) => sum + job.done, 0);
    const seconds = (Date.now() - this.#started) / 1000;
    const today = done - this.#earlier;
    const left = today < MIN_SHARE * this.#total ? '…' : formatSeconds(((this.#total - done) * seconds) / today);
    const text = running.map((job) => job.text).join(' · ');
    if (this.#bar) this.#bar.update(done, { left, text });
    else if (Date.now() - this.#lastLine >= PLAIN_INTERVAL_MS) {
      this.#lastLine = Date.now();
      this.log(`${((100 * done) / this.#total).toFixed(0).padStart(3)} % | ${left} left | ${text}`);
    }
  }
}
