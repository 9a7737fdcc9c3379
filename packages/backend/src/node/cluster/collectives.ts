import type { Attribute } from '../attributes.js';
import { setAttribute } from '../attributes.js';
import type { Library, Pointer } from '../library.js';
import type { Status } from '../status.js';
import { numbersToHandle, readHandle } from '../tensors.js';
import { TYPES } from '../types.js';

/** Numbers that travel between workers. */
export type Numbers = Float32Array | Int32Array;

/** The workers of a cluster, seen from one of them. */
export interface Group {
  readonly rank: number;
  /** Workers that take part. */
  readonly size: number;
}

/** Codes of `tensorflow/c/tf_status.h`. */
const CODES = { deadlineExceeded: 4, aborted: 10 } as const;

const int = (name: string, value: number): Attribute => ({ name, type: TYPES.TF_ATTR_INT, value });
const text = (name: string, value: string): Attribute => ({ name, type: TYPES.TF_ATTR_STRING, value });

const typeOf = (values: Numbers): number => (values instanceof Int32Array ? TYPES.TF_INT32 : TYPES.TF_FLOAT);

/**
 * TensorFlow's collective operations in a context of their own.
 *
 * @remarks
 * The call that runs one returns when all workers have made it. It runs on a thread of its own, so that this process goes on meanwhile: timers, signals, progress.
 * One at a time: `status` belongs to these calls alone.
 */
export function createCollectives(library: Library, status: Status, context: Pointer, { rank, size }: Group) {
  /** Numbers of the logical operations, by what tells them apart; workers that make the same calls in the same order come to the same ones. */
  const instances = new Map<string, number>();
  // TensorFlow writes into them while this process goes on: arrays of one call could be collected before it ends.
  const outputs = new BigUint64Array(1);
  const counts = new Int32Array(1);
  const [toOutputs, toCounts] = [library.address(outputs), library.address(counts)];

  /** TensorFlow keeps a kernel and a record for every number: calls alike, which never overlap, share one. */
  function instanceOf(call: string, values: Numbers): number {
    const key = `${call} ${typeOf(values)} ${values.length}`;
    const instance = instances.get(key) ?? instances.size + 1;
    instances.set(key, instance);
    return instance;
  }

  // No `timeout_seconds`: for every call, TensorFlow would start a thread that sleeps for all that time.
  const attributesOf = (call: string, values: Numbers): Attribute[] => [
    { name: 'T', type: TYPES.TF_ATTR_TYPE, value: typeOf(values) },
    int('group_size', size),
    int('group_key', 1),
    int('instance_key', instanceOf(call, values)),
  ];

  async function run(name: string, attributes: readonly Attribute[], values: Numbers | undefined, timeoutSeconds: number): Promise<Numbers> {
    const inputs = values === undefined ? [] : [numbersToHandle(library, status, [values.length], typeOf(values), values)];
    const op = library.TFE_NewOp(context, name, status.pointer);
    try {
      status.check(name);
      for (const attribute of attributes) setAttribute(library, status, op, attribute);
      for (const input of inputs) library.TFE_OpAddInput(op, input, status.pointer);
      status.check(name);
      counts[0] = outputs.length;
      await abortable(library.executeElsewhere(op, toOutputs, toCounts, status.pointer), timeoutSeconds);
      status.check(name);
      return takeNumbers(Number(outputs[0]));
    } finally {
      library.TFE_DeleteOp(op);
      for (const input of inputs) library.TFE_DeleteTensorHandle(input);
    }
  }

  async function abortable(execution: Promise<void>, timeoutSeconds: number): Promise<void> {
    let running = true;
    // Node waits for the threads of koffi's before it ends: without this, until the other workers come or the time is out.
    const leave = () => abort(CODES.aborted, 'The process ends.');
    // If this process was busy for all that time, what came meanwhile is heard first.
    const expire = () => setImmediate(() => running && abort(CODES.deadlineExceeded, 'The call timed out.'));
    const timer = setTimeout(expire, timeoutSeconds * 1000);
    process.once('exit', leave);
    try {
      await execution;
    } finally {
      running = false;
      clearTimeout(timer);
      process.off('exit', leave);
    }
  }

  function abort(code: number, message: string): void {
    const ending = library.TF_NewStatus();
    library.TF_SetStatus(ending, code, message);
    library.TFE_AbortCollectiveOps(context, ending);
  }

  function takeNumbers(handle: Pointer): Numbers {
    try {
      return readHandle(library, status, handle) as Numbers;
    } finally {
      library.TFE_DeleteTensorHandle(handle);
    }
  }

  return {
    /** Sum or mean over all workers. Every element is added up along one ring and then handed round, so that all workers get the same bits. */
    reduce: (values: Numbers, how: 'sum' | 'mean', timeoutSeconds: number): Promise<Numbers> =>
      run(
        'CollectiveReduce',
        [
          ...attributesOf(how, values),
          text('merge_op', 'Add'),
          text('final_op', how === 'mean' ? 'Div' : 'Id'),
          text('communication_hint', 'ring'),
          { name: 'subdiv_offsets', type: TYPES.TF_ATTR_INT, value: [0] },
        ],
        values,
        timeoutSeconds,
      ),
    /** The values of the worker `root`. */
    broadcast: (values: Numbers, root: number, timeoutSeconds: number): Promise<Numbers> =>
      run(
        rank === root ? 'CollectiveBcastSend' : 'CollectiveBcastRecv',
        [...attributesOf(`broadcast ${root}`, values), { name: 'shape', type: TYPES.TF_ATTR_SHAPE, value: [values.length] }],
        rank === root ? values : undefined,
        timeoutSeconds,
      ),
  };
}
