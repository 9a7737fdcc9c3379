import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { splitAddress } from './configuration.js';

/** Longest time in milliseconds in which a living worker accepts a connection. */
const PATIENCE = 1000;

function accepts(address: string): Promise<boolean> {
  const target = splitAddress(address);
  if (target === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect(target);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PATIENCE, () => settle(false));
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

/** Pause in milliseconds before a worker whose connection broke is asked once more. */
const PAUSE = 50;

/**
 * Ranks of the workers that accept no connection. TensorFlow's own message names at most the neighbour that failed, and none after a time-out.
 *
 * @param broken - whether a connection broke. Then somebody is going: a process that dies closes its connections one after the other, so its port may still answer at first.
 */
export async function findLostWorkers(workers: readonly string[], rank: number, broken: boolean): Promise<number[]> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const alive = await Promise.all(workers.map((address, i) => i === rank || accepts(address)));
    const lost = workers.flatMap((_, i) => (alive[i] === true ? [] : [i]));
    if (lost.length > 0 || !broken || performance.now() > end) return lost;
    await setTimeout(PAUSE);
  }
}
