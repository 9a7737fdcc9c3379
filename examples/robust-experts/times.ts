import { appendFile, readFile } from 'node:fs/promises';
import { files } from './jobs.js';

/** What a job took since it was last begun or continued. */
export interface JobTime {
  readonly job: string;
  readonly cpuSeconds: number;
  readonly seconds: number;
}

export const noteTime = (folder: string, time: JobTime): Promise<void> => appendFile(files.times(folder), `${JSON.stringify(time)}\n`);

/** Times of all finished jobs; none of a run from before they were noted. */
export async function readTimes(folder: string): Promise<JobTime[]> {
  const lines = await readFile(files.times(folder), 'utf8').catch(() => '');
  return lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JobTime]));
}
