import { Progress, countRight, formatSeconds } from '@moe/experiments';
import { type Interval, wilsonInterval } from '@moe/core';
import { type Table, interval, percent, table } from '@moe/report';
import type { Results } from './results.js';
import type { Run } from './runs.js';
import type { ProgressSink } from './scheduler.js';
import { gatedOf, isValid, robustFlags } from './summary.js';

const estimate = (right: number, of: number): string => {
  const { low, high }: Interval = wilsonInterval(right, of);
  return `${percent(right / of)} ${interval(low, high)}`;
};

/** What is known of each run, unfinished ones with `status`, beside what the paper has in the same place. */
export function sweepTable(runs: readonly Run[], finished: ReadonlyMap<string, Results>, status: ReadonlyMap<string, string> = new Map()): Table {
  const rows = runs.map(({ name, config, published }) => {
    const results = finished.get(name);
    const paper = published === undefined ? '' : `${published.clean} / ${published.pgd}`;
    if (results === undefined) return { name, state: status.get(name) ?? 'waiting', clean: '', pgd: '', apgd: '', both: '', paper };
    const gated = gatedOf(results, config.models[0]!);
    const of = gated.images;
    const valid = isValid(gated);
    return {
      name,
      state: valid ? 'finished' : 'FAULT',
      clean: estimate(countRight(gated.clean), of),
      pgd: estimate(countRight(gated.pgd), of),
      apgd: estimate(countRight(gated.apgd), of),
      both: estimate(countRight(robustFlags(gated)), of),
      paper,
    };
  });
  return table({
    columns: [
      { key: 'name', header: 'Run' },
      { key: 'state', header: '' },
      { key: 'clean', header: 'Clean', align: 'right' },
      { key: 'pgd', header: 'PGD', align: 'right' },
      { key: 'apgd', header: 'AutoPGD', align: 'right' },
      { key: 'both', header: 'Both', align: 'right' },
      ...(rows.some(({ paper }) => paper !== '') ? [{ key: 'paper' as const, header: 'Paper, clean / PGD', align: 'right' as const }] : []),
    ],
    rows,
    caption: 'Accuracy of the deployed model with 95 % Wilson intervals over images; AutoPGD of the paper is left out, it was scored in training mode.',
  });
}

const REDRAW_MS = 1000;
/** Header, rule, and a line to spare. */
const FRAME_LINES = 4;

/** So many runs at most, with the one at `index` among them. */
function around(runs: readonly Run[], index: number, most: number): readonly Run[] {
  const count = Math.max(1, most);
  const start = Math.max(0, Math.min(runs.length - count, index - Math.floor(count / 2)));
  return runs.slice(start, start + count);
}

/** The table, kept up to date on stderr: drawn over itself on a terminal; elsewhere a line for each run that starts or ends, and one every ten seconds. */
export class SweepTable {
  readonly #runs: readonly Run[];
  readonly #finished: ReadonlyMap<string, Results>;
  readonly #status = new Map<string, string>();
  #lines = 0;
  #last = 0;

  constructor(runs: readonly Run[], finished: ReadonlyMap<string, Results>) {
    this.#runs = runs;
    this.#finished = finished;
    this.#draw(true);
  }

  /** Takes the progress of one run. */
  forRun(name: string): ProgressSink {
    if (this.#finished.has(name)) return { start: () => undefined, update: () => undefined, finishJob: () => undefined, log: () => undefined };
    if (!process.stderr.isTTY) {
      process.stderr.write(`${name} (${[...this.#finished.keys()].length} of ${this.#runs.length} finished)\n`);
      return new Progress();
    }
    return this.#rowOf(name);
  }

  finish(name: string): void {
    this.#status.delete(name);
    this.#draw(true);
  }

  /** Leaves the screen to the final table. */
  stop(): void {
    if (this.#lines > 0) process.stderr.write(`\u001B[${this.#lines}A\u001B[J`);
    this.#lines = 0;
  }

  #rowOf(name: string): ProgressSink {
    const started = Date.now();
    let [total, earlier, finished] = [1, 0, 0];
    const running = new Map<string, number>();
    const show = (text: string): void => {
      const done = finished + [...running.values()].reduce((sum, part) => sum + part, 0);
      const left = done > earlier ? formatSeconds((((total - done) / (done - earlier)) * (Date.now() - started)) / 1000) : '…';
      this.#status.set(name, `${((100 * done) / total).toFixed(0)} %, ${left} left ${text.split(',')[0]}`.trimEnd());
      this.#draw(false);
    };
    return {
      start: (all, before) => {
        [total, earlier, finished] = [all, before, before];
      },
      update: (job, done, text) => {
        running.set(job, done);
        show(text);
      },
      finishJob: (job, cost) => {
        running.delete(job);
        finished += cost;
        show('');
      },
      log: () => undefined,
    };
  }

  #draw(now: boolean): void {
    if (!process.stderr.isTTY || (!now && Date.now() - this.#last < REDRAW_MS)) return;
    this.#last = Date.now();
    const { columns, rows } = process.stderr;
    const visible = around(this.#runs, this.#runs.findIndex(({ name }) => this.#status.has(name)), rows - FRAME_LINES);
    // A line that the terminal breaks would count twice when the table is drawn over.
    const lines = sweepTable(visible, this.#finished, this.#status).toText().split('\n').slice(-(visible.length + 2)).map((line) => line.slice(0, columns - 1));
    process.stderr.write(`${this.#lines > 0 ? `\u001B[${this.#lines}A\u001B[J` : ''}${lines.join('\n')}\n`);
    this.#lines = lines.length;
  }
}
