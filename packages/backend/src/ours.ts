import type { KernelConfig } from '@tensorflow/tfjs-core';

const OURS = Symbol.for('moe.backend.kernel');

/** Marks a kernel as one of this package. */
export const markAsOurs = (kernel: KernelConfig): KernelConfig => Object.assign(kernel, { [OURS]: true });

/** Tells whether a registered kernel is one of this package. */
export const isOurs = (kernel: KernelConfig): boolean => OURS in kernel;
