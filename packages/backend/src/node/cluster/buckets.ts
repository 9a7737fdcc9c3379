import { type DataTypeMap, type NamedTensorMap, Tensor, type Variable, tensor } from '@tensorflow/tfjs-core';
import { expectArgument } from '@moe/core';
import type { Numbers } from './collectives.js';

/** What collectives take: a tensor, or a list or record of tensors. */
export type Tensors = Tensor | readonly Tensor[] | Readonly<NamedTensorMap>;

/** New tensors in the form of `T`; for variables too, plain tensors. */
export type Copies<T> = T extends Variable<infer R> ? Tensor<R> : T extends Tensor ? T : { -readonly [K in keyof T]: Copies<T[K]> };

type Exchange = (values: Numbers) => Promise<Numbers>;

const DTYPES = ['float32', 'int32'] as const;

/** The tensors in an order on which all workers agree, whatever the order of a record's keys. */
function list(x: Tensors): [key: string, tensor: Tensor][] {
  if (x instanceof Tensor) return [['x', x]];
  const entries = Object.entries(x as Readonly<NamedTensorMap>);
  return Array.isArray(x) ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @throws {@link ArgumentError} if there is something else than tensors of the data types. */
export function expectTensors(caller: string, x: Tensors, dtypes: readonly (keyof DataTypeMap)[] = DTYPES): void {
  expectArgument(caller, 'x', typeof x === 'object' && x !== null, 'be a tensor, or a list or record of tensors', x);
  for (const [key, value] of list(x)) {
    const name = x instanceof Tensor ? 'x' : `x.${key}`;
    expectArgument(caller, name, value instanceof Tensor, 'be a tensor', value);
    expectArgument(caller, name, !value.isDisposed, 'not be disposed', value.shape);
    expectArgument(caller, name, dtypes.includes(value.dtype), `have the data type ${dtypes.join(' or ')}`, value.dtype);
  }
}

/** Reads the tensors now, so that the caller may dispose of them, and gives the function that exchanges their values: those of one data type together, and new tensors in the form of `x`. */
export function bucket<T extends Tensors>(x: T): (exchange: Exchange) => Promise<Copies<T>> {
  const entries = list(x).map(([key, { shape, dtype, size }]) => ({ key, shape, dtype, size }));
  const reading = Promise.all(list(x).map(([, t]) => t.data<'float32' | 'int32'>()));
  return async (exchange) => {
    const values = await reading;
    const results = new Map<string, Numbers>();
    for (const dtype of DTYPES) {
      const members = entries.flatMap((entry, i) => (entry.dtype === dtype ? [{ ...entry, values: values[i] as Numbers }] : []));
      const total = members.reduce((sum, { size }) => sum + size, 0);
      const packed = dtype === 'int32' ? new Int32Array(total) : new Float32Array(total);
      let at = 0;
      for (const member of members) {
        packed.set(member.values, at);
        at += member.size;
      }
      const exchanged = total === 0 ? packed : await exchange(packed);
      at = 0;
      for (const { key, size } of members) results.set(key, exchanged.slice(at, (at += size)));
    }
    const tensors = entries.map(({ key, shape, dtype }) => [key, tensor(results.get(key) as Numbers, shape, dtype)] as const);
    return restore(x, tensors);
  };
}

function restore<T extends Tensors>(x: T, tensors: readonly (readonly [string, Tensor])[]): Copies<T> {
  if (x instanceof Tensor) return tensors[0]?.[1] as Copies<T>;
  return (Array.isArray(x) ? tensors.map(([, t]) => t) : Object.fromEntries(tensors)) as Copies<T>;
}
