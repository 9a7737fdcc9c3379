import { connect } from 'node:net';
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

/** Ranks of the workers that accept no connection. TensorFlow's own message names at most the neighbour that failed, and none after a time-out. */
export async function findLostWorkers(workers: readonly string[], rank: number): Promise<number[]> {
  const alive = await Promise.all(workers.map((address, i) => i === rank || accepts(address)));
  return workers.flatMap((_, i) => (alive[i] === true ? [] : [i]));
}
