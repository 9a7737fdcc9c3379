import { availableParallelism } from 'node:os';
import { useBackend } from '@moe/backend';
import type { Config } from './schema.js';

export interface Engine {
  readonly name: string;
  /** One line for people. */
  readonly text: string;
}

/** Starts the engine of one of several processes that share the cores. */
export async function startEngine({ backend, workers }: Config): Promise<Engine> {
  const description = await useBackend(backend, { threads: Math.max(1, Math.floor(availableParallelism() / workers)) });
  return { name: description.engine, text: `Engine: ${description.engine}, tfjs ${description.tfjs}` };
}
