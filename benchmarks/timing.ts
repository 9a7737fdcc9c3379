/** Work to time; runs to its end and frees what it makes. */
export type Task = () => void;

/** Processor time of this process so far, in milliseconds; unlike a clock it stands still while other programs run. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Times several tasks by turns and returns each one's minimum of processor time, in milliseconds.
 *
 * @remarks
 * Taking turns lets a busy machine slow all of them alike, and the minimum drops what others took. One round before the first is not counted.
 *
 * @param rounds - turns of each task.
 */
export function interleave<const T extends readonly Task[]>(tasks: T, rounds: number): { [K in keyof T]: number } {
  const best = tasks.map(() => Infinity);
  for (let round = -1; round < rounds; round++) {
    tasks.forEach((task, i) => {
      const start = processorTime();
      task();
      const elapsed = processorTime() - start;
      if (round >= 0) best[i] = Math.min(best[i]!, elapsed);
    });
  }
  return best as { [K in keyof T]: number };
}
