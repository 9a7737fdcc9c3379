import { type Tensor, clone, dispose } from '@tensorflow/tfjs-core';
import { type Weight, expectArgument } from '@moe/core';

/** Calls `fn` while weights have other values, and gives them their own back bit for bit, also if it throws. It is told the own values. */
export async function withDisplaced<R>(weights: readonly Weight[], values: Readonly<Record<string, Tensor>>, fn: (own: Readonly<Record<string, Tensor>>) => R | Promise<R>): Promise<R> {
  const byName = new Map(weights.map((weight) => [weight.name, weight.variable]));
  const displaced = Object.entries(values).map(([name, value]) => {
    const variable = byName.get(name);
    expectArgument('train', 'displaced weight', variable !== undefined, 'be one that may be trained', name);
    return { name, variable, value, own: clone(variable as Tensor) };
  });
  try {
    for (const { variable, value } of displaced) variable.assign(value);
    return await fn(Object.fromEntries(displaced.map(({ name, own }) => [name, own])));
  } finally {
    for (const { variable, own } of displaced) variable.assign(own);
    dispose(displaced.map(({ own }) => own));
  }
}
