import { integerField, messageField, textField } from '../protobuf.js';

/** The one job of the cluster in TensorFlow's eyes; a chief is its first task. */
const JOB = 'worker';

/**
 * TensorFlow's `ServerDef` of one worker: the addresses of all, which of them it is, and who settles the order of the collectives.
 *
 * @param workers - addresses `host:port`, by rank.
 */
export function encodeServerDef(workers: readonly string[], rank: number): Uint8Array {
  const tasks = workers.map((address, i) => messageField(2, integerField(1, i), textField(2, address)));
  const cluster = messageField(1, messageField(1, textField(1, JOB), ...tasks));
  const leader = textField(1, `/job:${JOB}/replica:0/task:0`);
  const session = messageField(4, messageField(16, leader));
  return Uint8Array.from([cluster, textField(2, JOB), integerField(3, rank), session, textField(5, 'grpc')].flat());
}
