import type { Attribute } from '../attributes.js';
import { setAttribute } from '../attributes.js';
import type { Library, Pointer } from '../library.js';
import type { Status } from '../status.js';
import { numbersToHandle, readHandle } from '../tensors.js';
import { TYPES } from '../types.js';

/** Numbers that travel between workers. */
export type Numbers = Float32Array | Int32Array;

/** One collective operation of TensorFlow. */
export interface Collective {
  /** Number of the logical operation: the same on every worker, and never used before. */
  readonly instance: number;
  /** Workers that take part. */
  readonly size: number;
  readonly timeoutSeconds: number;
  readonly values: Numbers;
}

/** `TF_ABORTED` of `tensorflow/c/tf_status.h`. */
const ABORTED = 10;

const int = (name: string, value: number): Attribute => ({ name, type: TYPES.TF_ATTR_INT, value });
const text = (name: string, value: string): Attribute => ({ name, type: TYPES.TF_ATTR_STRING, value });

const typeOf = (values: Numbers): number => (values instanceof Int32Array ? TYPES.TF_INT32 : TYPES.TF_FLOAT);

function attributesOf({ instance, size, timeoutSeconds, values }: Collective): Attribute[] {
  return [
    { name: 'T', type: TYPES.TF_ATTR_TYPE, value: typeOf(values) },
    int('group_size', size),
    int('group_key', 1),
    int('instance_key', instance),
    { name: 'timeout_seconds', type: TYPES.TF_ATTR_FLOAT, value: timeoutSeconds },
  ];
}

/**
 * TensorFlow's collective operations in a context of their own.
 *
 * @remarks
 * The call that runs one returns when all workers have made it. It runs on a thread of its own, so that this process goes on meanwhile: timers, signals, progress.
 * One at a time: `status` belongs to these calls alone.
 */
export function createCollectives(library: Library, status: Status, context: Pointer) {
  async function run(name: string, attributes: readonly Attribute[], values: Numbers | undefined): Promise<Numbers> {
    const inputs = values === undefined ? [] : [numbersToHandle(library, status, [values.length], typeOf(values), values)];
    const op = library.TFE_NewOp(context, name, status.pointer);
    try {
      status.check(name);
      for (const attribute of attributes) setAttribute(library, status, op, attribute);
      for (const input of inputs) library.TFE_OpAddInput(op, input, status.pointer);
      status.check(name);
      const outputs = new BigUint64Array(1);
      const counts = Int32Array.of(outputs.length);
      process.once('exit', abort);
      await library.executeElsewhere(op, outputs, counts, status.pointer).finally(() => process.off('exit', abort));
      status.check(name);
      return takeNumbers(outputs[0] as Pointer);
    } finally {
      library.TFE_DeleteOp(op);
      for (const input of inputs) library.TFE_DeleteTensorHandle(input);
    }
  }

  /** Node waits for the threads of koffi's before it ends: without this, until the other workers come or the time is out. */
  function abort(): void {
    const ending = library.TF_NewStatus();
    library.TF_SetStatus(ending, ABORTED, 'The process ends.');
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
    reduce: (collective: Collective, how: 'sum' | 'mean'): Promise<Numbers> =>
      run(
        'CollectiveReduce',
        [
          ...attributesOf(collective),
          text('merge_op', 'Add'),
          text('final_op', how === 'mean' ? 'Div' : 'Id'),
          text('communication_hint', 'ring'),
          { name: 'subdiv_offsets', type: TYPES.TF_ATTR_INT, value: [0] },
        ],
        collective.values,
      ),
    /** The values of the one worker that sends. */
    broadcast: (collective: Collective, sends: boolean): Promise<Numbers> =>
      run(
        sends ? 'CollectiveBcastSend' : 'CollectiveBcastRecv',
        [...attributesOf(collective), { name: 'shape', type: TYPES.TF_ATTR_SHAPE, value: [collective.values.length] }],
        sends ? collective.values : undefined,
      ),
  };
}
