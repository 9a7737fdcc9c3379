import { expectArgument, expectInteger, expectKnownKeys, expectNumber } from '@moe/core';

/** Options of {@link connectCluster}. */
export interface ConnectClusterOptions {
  /** Addresses `host:port` of all workers by rank, the same on each; from `TF_CONFIG` by default. */
  workers?: readonly string[];
  /** Which of `workers` this process is; from `TF_CONFIG` by default. */
  index?: number;
  /** Longest time in seconds that a worker waits for the others in a call; 300 by default. */
  timeoutSeconds?: number;
  /** Longest time in seconds that a worker waits for the others to come; `timeoutSeconds` by default. */
  connectTimeoutSeconds?: number;
}

/** Who is in the cluster. */
export interface ClusterConfiguration {
  readonly workers: readonly string[];
  readonly rank: number;
  readonly timeoutSeconds: number;
  readonly connectTimeoutSeconds: number;
}

const CALLER = 'connectCluster';

const ADDRESS = /^(\[[\da-f:.]+\]|[^\s:[\]/]+):(\d{1,5})$/i;

/** Host and port of an address `host:port`; the brackets of IPv6 addresses left out. */
export function splitAddress(address: string): { host: string; port: number } | undefined {
  const [, host, port] = ADDRESS.exec(address) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function expectAddresses(name: string, value: unknown): asserts value is string[] {
  expectArgument(CALLER, name, Array.isArray(value) && value.length > 0, 'be a list of addresses, one a worker', value);
  value.forEach((address: unknown, i) => {
    expectArgument(CALLER, `${name}[${i}]`, typeof address === 'string' && splitAddress(address) !== undefined, "be an address 'host:port'", address);
    expectArgument(CALLER, `${name}[${i}]`, value.indexOf(address) === i, 'be an address that no other worker has', address);
  });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads `TF_CONFIG` as training operators of Kubernetes set it: the chief, if there is one, has rank 0 and the workers follow. */
function fromEnvironment(text: string | undefined): { workers: readonly string[]; rank: number } {
  expectArgument(CALLER, 'TF_CONFIG', text !== undefined, 'be set in the environment, unless workers and index are given', text);
  const config = parse(text);
  expectArgument(CALLER, 'TF_CONFIG', isRecord(config), 'be a JSON object', text);
  const { cluster, task } = config;
  expectArgument(CALLER, 'TF_CONFIG.cluster', isRecord(cluster), 'be an object of jobs', cluster);
  for (const job of Object.keys(cluster)) {
    expectArgument(CALLER, 'TF_CONFIG.cluster', job === 'chief' || job === 'worker', 'have the jobs chief and worker alone', job, 'Parameter servers and evaluators take no part in collectives.');
  }
  const { chief = [], worker = [] } = cluster;
  if ('chief' in cluster) {
    expectAddresses('TF_CONFIG.cluster.chief', chief);
    expectArgument(CALLER, 'TF_CONFIG.cluster.chief', chief.length === 1, 'have one address', chief);
  }
  if ('worker' in cluster) expectAddresses('TF_CONFIG.cluster.worker', worker);
  const workers = [...(chief as string[]), ...(worker as string[])];
  expectAddresses('TF_CONFIG.cluster', workers);
  expectArgument(CALLER, 'TF_CONFIG.task', isRecord(task), 'be an object with type and index', task);
  const { type, index } = task;
  expectArgument(CALLER, 'TF_CONFIG.task.type', typeof type === 'string' && Object.hasOwn(cluster, type), `be a job of the cluster, one of ${Object.keys(cluster).join(', ')}`, type);
  const [first, count] = type === 'chief' ? [0, 1] : [(chief as string[]).length, (worker as string[]).length];
  expectArgument(CALLER, 'TF_CONFIG.task.index', typeof index === 'number', 'be a number', index);
  expectInteger(CALLER, 'TF_CONFIG.task.index', index, 0, count - 1);
  return { workers, rank: first + index };
}

/**
 * Checks the options, and completes them from `TF_CONFIG`.
 *
 * @throws {@link ArgumentError} that names the option or the part of `TF_CONFIG`, and the rule.
 */
export function readConfiguration(options: ConnectClusterOptions, environment: Readonly<Record<string, string | undefined>>): ClusterConfiguration {
  expectKnownKeys(CALLER, options, ['workers', 'index', 'timeoutSeconds', 'connectTimeoutSeconds']);
  const { workers, index, timeoutSeconds = 300, connectTimeoutSeconds = timeoutSeconds } = options;
  expectNumber(CALLER, 'timeoutSeconds', timeoutSeconds, 0.1, 1e6);
  expectNumber(CALLER, 'connectTimeoutSeconds', connectTimeoutSeconds, 0.1, 1e6);
  const patience = { timeoutSeconds, connectTimeoutSeconds };
  expectArgument(CALLER, 'index', (workers === undefined) === (index === undefined), 'be given together with workers', index);
  if (workers === undefined || index === undefined) return { ...fromEnvironment(environment.TF_CONFIG), ...patience };
  expectAddresses('workers', workers);
  expectInteger(CALLER, 'index', index, 0, workers.length - 1);
  return { workers, rank: index, ...patience };
}
