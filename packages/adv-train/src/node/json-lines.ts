import { appendFile } from 'node:fs/promises';
import { readFileBounded, writeFileAtomic } from '@moe/core/node';
import type { TrainEvent } from '../events.js';

const MAX_BYTES = 2 ** 30;

/** Whether an event, as it was parsed, tells of something before a place in the run. */
function isBefore(event: unknown, place: { readonly epoch: number; readonly step: number }): boolean {
  if (typeof event !== 'object' || event === null) return false;
  const { type, epoch, step, record } = event as { readonly type?: unknown; readonly epoch?: number; readonly step?: number; readonly record?: { readonly epoch: number } };
  if (type === 'step') return epoch! < place.epoch || (epoch === place.epoch && step! < place.step);
  return (record?.epoch ?? epoch ?? Infinity) < place.epoch;
}

/**
 * Writes what happens in `train` to a file, one JSON object a line: events `step`, `epoch`, `validation` and `alarm` as they are, without estimates of time.
 *
 * @remarks
 * A run that was killed and resumed leaves the lines of one that was not: at the event `resume`, lines of what comes again are dropped, and so is one that was cut off. A run that starts anew
 * replaces the file.
 *
 * @returns A function for the option `onEvent`.
 * @throws {@link FileError} or an error of the system if the file cannot be written.
 *
 * @example
 * await train({ …, onEvent: jsonLineEvents('runs/dense/metrics.jsonl') });
 */
export function jsonLineEvents(path: string): (event: TrainEvent) => Promise<void> {
  let begun = false;

  const begin = async (place: { readonly epoch: number; readonly step: number }): Promise<void> => {
    begun = true;
    const before = new TextDecoder().decode(await readFileBounded('jsonLineEvents', path, MAX_BYTES));
    const kept = before.split('\n').filter((line) => {
      try {
        return isBefore(JSON.parse(line), place);
      } catch {
        return false;
      }
    });
    await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(''));
  };

  return async (event) => {
    if (event.type === 'resume') return begin(event);
    if (event.type === 'checkpoint') return;
    if (!begun) await begin({ epoch: 0, step: 0 });
    await appendFile(path, `${JSON.stringify({ ...event, etaMs: undefined })}\n`);
  };
}
