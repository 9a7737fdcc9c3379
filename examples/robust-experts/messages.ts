import type { Config } from './schema.js';
import type { Job } from './jobs.js';

/** From the main process to a worker. */
export type Order = { readonly type: 'run'; readonly job: Job; readonly config: Config; readonly folder: string } | { readonly type: 'abort' };

/** From a worker to the main process. */
export type Notice =
  | { readonly type: 'engine'; readonly text: string }
  | { readonly type: 'progress'; readonly fraction: number; readonly text: string }
  | { readonly type: 'log'; readonly text: string }
  | { readonly type: 'done' }
  | { readonly type: 'aborted' }
  | { readonly type: 'failed'; readonly message: string; readonly expected: boolean };
