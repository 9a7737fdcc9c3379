import { useBackend } from '@moe/backend';
import type { Config } from './config.js';

export interface Engine {
  readonly name: string;
  /** One line for people. */
  readonly text: string;
}

export async function startEngine(name: Config['backend']): Promise<Engine> {
  const description = await useBackend(name);
  return { name: description.engine, text: `Engine: ${description.engine}, tfjs ${description.tfjs}` };
}
