import { BackendError, expectInteger, expectOneOf } from '@moe/core';
import { findTensorflow } from '../installation.js';
import { loadLibrary } from '../library.js';
import { createStatus } from '../status.js';
import { type Copies, type Tensors, bucket, expectTensors } from './buckets.js';
import { type Group, createCollectives } from './collectives.js';
import { type ConnectClusterOptions, readConfiguration } from './configuration.js';
import { findLostWorkers } from './lost-workers.js';
import { encodeServerDef } from './server-def.js';

/**
 * Processes that compute together. Every worker must make the same calls, with tensors of the same shapes, in the same order.
 *
 * @remarks
 * Tensors may be on any engine. Calls that are not awaited run one after another, in the order in which they were made; the tensors given are read at once.
 * All throw {@link BackendError} if a worker is lost or does not make the same call within the time-out; then the cluster is of no more use, and all processes must start again.
 */
export interface Cluster {
  /** Number of this worker, from 0. */
  readonly rank: number;
  /** Number of workers. */
  readonly size: number;
  /**
   * Adds up, or averages, a tensor over all workers, or every tensor of a list or record: those of one data type travel together.
   *
   * @param x - float32 or int32; float32 alone for `'mean'`.
   * @returns New tensors, which the caller disposes of; the same bits on every worker.
   */
  allReduce<T extends Tensors>(x: T, how?: 'sum' | 'mean'): Promise<Copies<T>>;
  /**
   * Copies tensors of one worker to all.
   *
   * @param x - what the worker `root` sends; on the others, tensors of the same shapes and data types, whose values do not matter.
   * @param root - rank of the worker that sends; 0 by default.
   * @returns New tensors, which the caller disposes of, also on `root`.
   */
  broadcast<T extends Tensors>(x: T, root?: number): Promise<Copies<T>>;
  /** Waits until every worker is here. */
  barrier(): Promise<void>;
  /**
   * Waits until every worker closes, so that none ends while another still hears from it; call it last.
   * The port is free again when the process ends: TensorFlow cannot stop its server.
   */
  close(): Promise<void>;
}

/**
 * Joins the processes that `TF_CONFIG` or the options name into a cluster, over the collective runtime of TensorFlow (gRPC). Returns when all are there.
 *
 * @remarks
 * Start the engine first (`useBackend('tensorflow', { threads })`): the threads of TensorFlow are those of its first context in the process.
 * The traffic is neither encrypted nor authenticated, and the port is open on all network interfaces: use it within a trusted network.
 *
 * @throws {@link ArgumentError} if an option or a part of `TF_CONFIG` breaks a rule.
 * @throws {@link BackendError} if TensorFlow is not installed, the port is taken, or a worker does not come within the time-out.
 *
 * @example
 * const cluster = await connectCluster(); // under TF_CONFIG
 * const mean = await cluster.allReduce(gradients, 'mean');
 */
export async function connectCluster(options: ConnectClusterOptions = {}): Promise<Cluster> {
  const { workers, rank, timeoutSeconds, connectTimeoutSeconds } = readConfiguration(options, process.env);
  const installation = findTensorflow();
  if (installation === undefined) throw new BackendError('connectCluster: TensorFlow must be installed. Run `npx moe-backend install tensorflow`.');
  const library = await loadLibrary(installation.libraries);
  const status = createStatus(library);
  const contextOptions = library.TFE_NewContextOptions();
  // A context of its own: the runtime replaces the devices of the context that it starts in, under the tensors that the engine holds already.
  const context = library.TFE_NewContext(contextOptions, status.pointer);
  library.TFE_DeleteContextOptions(contextOptions);
  status.check('connectCluster');
  const server = encodeServerDef(workers, rank);
  library.TFE_EnableCollectiveOps(context, server, server.length, status.pointer);
  try {
    status.check('TFE_EnableCollectiveOps');
  } catch (cause) {
    throw new BackendError(`connectCluster: the port of ${workers[rank]} must be free on this machine, but no server could start there. End what uses it, or choose another.`, { cause });
  }
  const group: Group = { rank, size: workers.length };
  const cluster = createCluster(createCollectives(library, status, context, group), group, workers, timeoutSeconds);
  await cluster.meet('connectCluster', connectTimeoutSeconds);
  return cluster.calls;
}

/** What TensorFlow says when a connection broke, in words and in the number of gRPC's `UNAVAILABLE`. */
const BROKEN = /connection|socket closed|recvmsg|grpc_status:14/i;

function createCluster(collectives: ReturnType<typeof createCollectives>, { rank, size }: Group, workers: readonly string[], timeoutSeconds: number) {
  let ended: BackendError | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function fail(caller: string, seconds: number, cause: unknown): Promise<never> {
    const { message } = cause as Error;
    const lost = await findLostWorkers(workers, rank, BROKEN.test(message));
    const names = lost.map((i) => `worker ${i} (${workers[i]})`).join(', ');
    const rule = lost.length > 0 ? `every worker must be there, but no connection is accepted by ${names}` : `every worker must make the same call within ${seconds} s, with the same shapes`;
    ended = new BackendError(`${caller}: ${rule}. Start all workers again, from their last checkpoint. TensorFlow says: ${message}`, { cause });
    throw ended;
  }

  function enqueue<T>(caller: string, task: (seconds: number) => Promise<T>, seconds = timeoutSeconds): Promise<T> {
    const result = last.then(async () => {
      if (ended !== undefined) throw new BackendError(`${caller}: the cluster must be open, but it ended before. ${ended.message}`, { cause: ended });
      return task(seconds).catch((error: unknown) => fail(caller, seconds, error));
    });
    last = result.catch(() => undefined);
    return result;
  }

  const meet = async (caller: string, seconds?: number): Promise<void> => {
    await enqueue(caller, (limit) => collectives.reduce(Int32Array.of(1), 'sum', limit), seconds);
  };

  const calls: Cluster = {
    rank,
    size,
    async allReduce(x, how = 'sum') {
      expectOneOf('allReduce', 'how', how, ['sum', 'mean']);
      expectTensors('allReduce', x, how === 'mean' ? ['float32'] : undefined);
      const exchange = bucket(x);
      return enqueue('allReduce', (seconds) => exchange((values) => collectives.reduce(values, how, seconds)));
    },
    async broadcast(x, root = 0) {
      expectInteger('broadcast', 'root', root, 0, size - 1);
      expectTensors('broadcast', x);
      const exchange = bucket(x);
      return enqueue('broadcast', (seconds) => exchange((values) => collectives.broadcast(values, root, seconds)));
    },
    barrier: () => meet('barrier'),
    async close() {
      await meet('close');
      ended = new BackendError('close: this worker left.');
    },
  };
  return { calls, meet };
}
