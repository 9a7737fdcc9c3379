import { type EinsumAttrs, type GradConfig, type Tensor, einsum, fill, mul, reshape } from '@tensorflow/tfjs-core';

/** Einsum of one or two tensors, which stock tfjs cannot differentiate: again an einsum, of the slope and the other tensor. */
export const einsumGradient: GradConfig = {
  kernelName: 'Einsum',
  saveAllInputs: true,
  gradFunc: (dy, saved, attrs) => {
    const [left, out = ''] = (attrs as unknown as EinsumAttrs).equation.replace(/\s/g, '').split('->') as [string, string];
    const names = left.split(',');
    return Object.fromEntries(names.map((axes, i) => [String(i), () => gradientOf(dy as Tensor, out, saved[i]!, axes, names[1 - i], saved[1 - i])]));
  },
};

function gradientOf(dy: Tensor, out: string, x: Tensor, axes: string, otherAxes = '', other: Tensor | undefined): Tensor {
  const known = [...axes].filter((axis) => out.includes(axis) || otherAxes.includes(axis)).join('');
  const partial = other === undefined ? einsum(`${out}->${known}`, dy) : einsum(`${out},${otherAxes}->${known}`, dy, other);
  if (known === axes) return partial;
  // Axes that only this tensor has were summed over: every entry along them gets the same slope.
  return mul(reshape(partial, [...axes].map((axis, i) => (known.includes(axis) ? x.shape[i]! : 1))), fill(x.shape, 1));
}
