import { randomUUID } from 'node:crypto';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainEvent } from '../events.js';
import { type EventContent, encodeEvent } from './event-proto.js';
import { tfRecord } from './tf-record.js';

const prefixed = (prefix: string, values: Readonly<Record<string, number>>): Record<string, number> => Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));

/**
 * Writes what happens in `train` to an event file that TensorBoard reads: loss, terms, accuracy, learning rate and gradient norm of each step and of each epoch, and what was validated.
 *
 * @remarks
 * Each call has a file of its own in the folder. After a resume, TensorBoard drops what earlier files said of steps that come again. Steps count over the whole run for tags that begin with
 * `step/`, and are epochs for those that begin with `epoch/`.
 *
 * @param folder - made if missing.
 * @returns A function for the option `onEvent`.
 *
 * @example
 * await train({ …, onEvent: tensorBoardEvents('runs/dense/board') });
 */
export function tensorBoardEvents(folder: string): (event: TrainEvent) => Promise<void> {
  const name = (part: string): string => join(folder, part, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${randomUUID().slice(0, 8)}`);
  // Two runs of TensorBoard, because a restart at a step must not void epochs.
  const paths = { step: name('step'), epoch: name('epoch') };
  const begun = new Set<string>();

  const write = async (kind: keyof typeof paths, step: number, content: EventContent): Promise<void> => {
    const seconds = Date.now() / 1000;
    if (!begun.has(kind)) {
      begun.add(kind);
      await mkdir(join(folder, kind), { recursive: true });
      await appendFile(paths[kind], tfRecord(encodeEvent(seconds, 0, { fileVersion: 'brain.Event:2' })));
    }
    await appendFile(paths[kind], tfRecord(encodeEvent(seconds, step, content)));
  };

  let resumed: { readonly epoch: number; readonly step: number } | undefined;
  return async (event) => {
    if (event.type === 'resume') {
      resumed = event;
      await write('epoch', event.epoch, { restart: true });
    } else if (event.type === 'step') {
      // How many steps an epoch has is known only now.
      if (resumed !== undefined) await write('step', resumed.epoch * event.steps + resumed.step, { restart: true });
      resumed = undefined;
      const { loss, accuracy, learningRate, gradientNorm, terms } = event;
      const scalars = { loss, accuracy, learningRate, ...(gradientNorm !== undefined && { gradientNorm }), ...prefixed('terms', terms) };
      await write('step', event.epoch * event.steps + event.step, { scalars });
    } else if (event.type === 'epoch') {
      const { epoch, loss, accuracy, learningRate, gradientNorm, terms, routing, validation } = event.record;
      const layers = routing.flatMap(({ layer, ...facts }) => [
        [`routing/${layer}/auxLoss`, facts.auxLoss] as const,
        ...facts.usage.map((share, expert) => [`routing/${layer}/usage/${expert}`, share] as const),
      ]);
      const sets = Object.entries(validation?.sets ?? {}).flatMap(([set, { clean, robust }]) => [[`validation/${set}/clean`, clean] as const, [`validation/${set}/robust`, robust] as const]);
      const scalars = { loss, accuracy, learningRate, gradientNorm: gradientNorm.mean, ...prefixed('terms', terms), ...Object.fromEntries([...layers, ...sets]) };
      await write('epoch', epoch, { scalars });
    }
  };
}
