import { ArgumentError } from '@moe/core';
import { describe, expect, it } from 'vitest';
import { readConfiguration, splitAddress } from './configuration.js';
import { connectCluster } from './connect-cluster.js';

const worker = ['10.0.0.1:2222', 'job-worker-1.ns.svc:2222'];
const read = (config: unknown) => readConfiguration({}, { TF_CONFIG: typeof config === 'string' ? config : JSON.stringify(config) });

describe('TF_CONFIG', () => {
  it('names the workers, and this one among them', () => {
    expect(read({ cluster: { worker }, task: { type: 'worker', index: 1 } })).toEqual({ workers: worker, rank: 1, timeoutSeconds: 300, connectTimeoutSeconds: 300 });
  });

  it('puts the chief first, and takes what else operators write', () => {
    const cluster = { chief: ['[::1]:80'], worker };
    expect(read({ cluster, task: { type: 'chief', index: 0 }, environment: 'cloud' })).toMatchObject({ workers: ['[::1]:80', ...worker], rank: 0 });
    expect(read({ cluster, task: { type: 'worker', index: 1 } })).toMatchObject({ rank: 2 });
    expect(read({ cluster: { chief: ['a:1'] }, task: { type: 'chief', index: 0 } })).toMatchObject({ workers: ['a:1'], rank: 0 });
  });

  it.each<[unknown, string]>([
    ['{"cluster":', 'TF_CONFIG must be a JSON object'],
    [[], 'TF_CONFIG must be a JSON object'],
    [{ task: { type: 'worker', index: 0 } }, 'TF_CONFIG.cluster must be an object of jobs'],
    [{ cluster: { worker, ps: ['a:1'] }, task: { type: 'worker', index: 0 } }, "TF_CONFIG.cluster must have the jobs chief and worker alone, got 'ps'"],
    [{ cluster: { worker: 'a:1' }, task: { type: 'worker', index: 0 } }, 'TF_CONFIG.cluster.worker must be a list of addresses, one a worker'],
    [{ cluster: { worker: [] }, task: { type: 'worker', index: 0 } }, 'TF_CONFIG.cluster.worker must be a list of addresses, one a worker'],
    [{ cluster: {}, task: { type: 'worker', index: 0 } }, 'TF_CONFIG.cluster must be a list of addresses, one a worker'],
    [{ cluster: { worker: ['a'] }, task: { type: 'worker', index: 0 } }, "TF_CONFIG.cluster.worker[0] must be an address 'host:port', got 'a'"],
    [{ cluster: { worker: ['a:70000'] }, task: { type: 'worker', index: 0 } }, "TF_CONFIG.cluster.worker[0] must be an address 'host:port', got 'a:70000'"],
    [{ cluster: { worker: ['a:1', 'a:1'] }, task: { type: 'worker', index: 0 } }, "TF_CONFIG.cluster.worker[1] must be an address that no other worker has, got 'a:1'"],
    [{ cluster: { chief: ['a:1'], worker: ['a:1'] }, task: { type: 'worker', index: 0 } }, "TF_CONFIG.cluster[1] must be an address that no other worker has, got 'a:1'"],
    [{ cluster: { chief: ['a:1', 'b:1'] }, task: { type: 'chief', index: 0 } }, 'TF_CONFIG.cluster.chief must have one address'],
    [{ cluster: { worker } }, 'TF_CONFIG.task must be an object with type and index'],
    [{ cluster: { worker }, task: { type: 'chief', index: 0 } }, "TF_CONFIG.task.type must be a job of the cluster, one of worker, got 'chief'"],
    [{ cluster: { worker }, task: { type: 'evaluator', index: 0 } }, "TF_CONFIG.task.type must be a job of the cluster, one of worker, got 'evaluator'"],
    [{ cluster: { worker }, task: { type: 'worker', index: '0' } }, "TF_CONFIG.task.index must be a number, got '0'"],
    [{ cluster: { worker }, task: { type: 'worker', index: 2 } }, 'TF_CONFIG.task.index must be an integer in [0, 1], got 2'],
  ])('refuses %j', (config, message) => {
    const reading = () => read(config);
    expect(reading).toThrow(ArgumentError);
    expect(reading).toThrow(`connectCluster: ${message}`);
  });

  it('must be there', () => {
    expect(() => readConfiguration({}, {})).toThrow('connectCluster: TF_CONFIG must be set in the environment, unless workers and index are given');
  });
});

describe('options', () => {
  it('go before TF_CONFIG', () => {
    const options = { workers: worker, index: 1, timeoutSeconds: 5, connectTimeoutSeconds: 600 };
    expect(readConfiguration(options, { TF_CONFIG: 'unread' })).toEqual({ workers: worker, rank: 1, timeoutSeconds: 5, connectTimeoutSeconds: 600 });
  });

  it.each([
    [{ workers: worker }, 'index must be given together with workers'],
    [{ index: 0 }, 'index must be given together with workers'],
    [{ workers: worker, index: 2 }, 'index must be an integer in [0, 1]'],
    [{ workers: ['a:1', 'b'], index: 0 }, "workers[1] must be an address 'host:port'"],
    [{ workers: worker, index: 0, timeoutSeconds: 0 }, 'timeoutSeconds must be'],
    [{ workers: worker, index: 0, connectTimeoutSeconds: 0 }, 'connectTimeoutSeconds must be'],
    [{ workers: worker, index: 0, timeout: 5 }, 'timeout'],
  ])('are checked: %j', async (options, message) => {
    await expect(connectCluster(options)).rejects.toThrow(ArgumentError);
    await expect(connectCluster(options)).rejects.toThrow(message);
  });
});

describe('addresses', () => {
  it('are split at the port', () => {
    expect(splitAddress('[fe80::1]:2222')).toEqual({ host: 'fe80::1', port: 2222 });
    expect(splitAddress('worker-0:1')).toEqual({ host: 'worker-0', port: 1 });
    for (const wrong of ['worker-0', 'worker-0:0', 'fe80::1', 'http://a:1', 'a b:1', ':1']) expect(splitAddress(wrong)).toBeUndefined();
  });
});
