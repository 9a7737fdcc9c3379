import { type EinsumAttrs, type TensorInfo, backend_util } from '@tensorflow/tfjs-core';
import { wasmKernel } from '../kernel.js';
import { type Scratch, withScratch } from '../scratch.js';

/** A tensor whose axes have names. */
interface Named {
  readonly info: TensorInfo;
  readonly axes: string;
}

const only = (axes: string, holds: (axis: string) => boolean): string => [...axes].filter(holds).join('');

/** Sums of products by an equation such as `'bij,bjk->bik'`, as transposes and one matrix product; tfjs' wasm engine has none. */
export const einsum = wasmKernel<Record<number, TensorInfo>, EinsumAttrs>('Einsum', ({ inputs, attrs: { equation }, backend }) => {
  const tensors = Object.values(inputs);
  const { allDims, idDims } = backend_util.decodeEinsumEquation(equation, tensors.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors as never);
  const [left, out = ''] = equation.replace(/\s/g, '').split('->') as [string, string];
  const names = left.split(',');
  return withScratch(backend, (scratch) => {
    const [first, ...rest] = tensors.map((info, i): Named => ({ info, axes: names[i]! })) as [Named, ...Named[]];
    const product = rest.reduce((a, b, i) => contract(scratch, a, b, out + names.slice(i + 2).join('')), sumOut(scratch, first, out + names.slice(1).join('')));
    return arrange(scratch, product, out);
  });
});

/** Sums over the axes that nothing needs any more. */
function sumOut(scratch: Scratch, { info, axes }: Named, needed: string): Named {
  const kept = only(axes, (axis) => needed.includes(axis));
  if (kept === axes) return { info, axes };
  const axis = [...axes].flatMap((name, i) => (kept.includes(name) ? [] : [i]));
  return { info: scratch.run('Sum', { x: info }, { axis, keepDims: false }), axes: kept };
}

/** The axes in the given order; always a tensor of the scratch. */
function arrange(scratch: Scratch, { info, axes }: Named, order: string): TensorInfo {
  return scratch.transpose(info, [...order].map((axis) => axes.indexOf(axis)));
}

/** Product of two, summed over what neither the result nor later factors need. */
function contract(scratch: Scratch, left: Named, right: Named, needed: string): Named {
  const a = sumOut(scratch, left, needed + right.axes);
  const b = sumOut(scratch, right, needed + a.axes);
  const shared = only(a.axes, (axis) => b.axes.includes(axis));
  const batch = only(shared, (axis) => needed.includes(axis));
  const summed = only(shared, (axis) => !needed.includes(axis));
  const rows = only(a.axes, (axis) => !shared.includes(axis));
  const columns = only(b.axes, (axis) => !shared.includes(axis));
  const size = (axes: string): number => [...axes].reduce((total, axis) => total * lengthOf(axis), 1);
  const lengthOf = (axis: string): number => (a.axes.includes(axis) ? a.info.shape[a.axes.indexOf(axis)]! : b.info.shape[b.axes.indexOf(axis)]!);
  const A = scratch.reshape(arrange(scratch, a, batch + rows + summed), [size(batch), size(rows), size(summed)]);
  const B = scratch.reshape(arrange(scratch, b, batch + summed + columns), [size(batch), size(summed), size(columns)]);
  const product = scratch.run('BatchMatMul', { a: A, b: B }, { transposeA: false, transposeB: false });
  const axes = batch + rows + columns;
  return { info: scratch.reshape(product, [...axes].map(lengthOf)), axes };
}
