import { serialization } from '@tensorflow/tfjs-core';
import { AolConv2D } from './aol-conv.js';
import { AolDense } from './aol-dense.js';
import { BjorckDense } from './bjorck-dense.js';
import { CayleyConv2D } from './cayley-conv.js';
import { CayleyDense } from './cayley-dense.js';
import { GroupSort } from './group-sort.js';
import { SllConv2D } from './sll-conv.js';
import { SllDense } from './sll-dense.js';

/**
 * Makes the layers of this package known to tfjs, so that `loadLayersModel` can build them.
 *
 * @remarks
 * Importing the package registers nothing. Calling it again does no harm.
 *
 * @example
 * registerLipschitzLayers();
 * const model = await loadLayersModel('file://model/model.json');
 */
export function registerLipschitzLayers(): void {
  for (const layer of [AolConv2D, AolDense, BjorckDense, CayleyConv2D, CayleyDense, GroupSort, SllConv2D, SllDense]) serialization.registerClass(layer);
}
