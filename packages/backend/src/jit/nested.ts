import { Tensor } from '@tensorflow/tfjs-core';
import { ArgumentError } from '@moe/core';

/** The form of nested arrays and records of tensors, with the number of a tensor in its place. */
export type Form = number | readonly Form[] | { readonly [name: string]: Form };

/** Appends the tensors in arrays and records to a list, and returns their form. */
export function flatten(value: unknown, what: string, into: Tensor[]): Form {
  if (value instanceof Tensor) return into.push(value) - 1;
  if (Array.isArray(value)) return value.map((entry, i) => flatten(entry, `${what}[${i}]`, into));
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, flatten(entry, `${what}.${name}`, into)]));
  }
  throw new ArgumentError(`jit: ${what} must be a tensor, or an array or plain object of them, got ${value instanceof Promise ? 'a promise' : String(value)}. Pass numbers as scalar tensors, or close over them.`);
}

/** The inverse of {@link flatten}. */
export function rebuild(form: Form, tensors: readonly Tensor[]): unknown {
  if (typeof form === 'number') return tensors[form];
  if (Array.isArray(form)) return form.map((entry) => rebuild(entry as Form, tensors));
  return Object.fromEntries(Object.entries(form).map(([name, entry]) => [name, rebuild(entry as Form, tensors)]));
}

/** What two calls must share to share a compiled function: form, shapes, data types, and which tensors are one and the same. */
export function keyOf(form: Form, tensors: readonly Tensor[]): string {
  const first = new Map<object, number>();
  const kinds = tensors.map(({ dataId, dtype, shape }, i) => {
    if (!first.has(dataId)) first.set(dataId, i);
    return `${dtype}[${shape.join()}]${first.get(dataId)}`;
  });
  return `${JSON.stringify(form)} ${kinds.join(' ')}`;
}
