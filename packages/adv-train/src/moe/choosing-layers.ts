import { type MoeLayerInfo, type MoeModel, expectArgument } from '@moe/core';
import { expectLayers } from './routing-pairs.js';

/**
 * Layers that send a row to fewer experts than they have.
 *
 * @param layers - by name. @defaultValue all that do
 * @throws ArgumentError if a layer named does not, or none does.
 */
export function choosingLayers(caller: string, model: MoeModel, layers?: readonly string[]): readonly MoeLayerInfo[] {
  const known = expectLayers(caller, model, layers).map((name) => model.moeLayers.find((layer) => layer.name === name)!);
  const choosing = known.filter(({ numExperts, topK }) => topK < numExperts);
  const soft = layers === undefined ? undefined : known.find(({ numExperts, topK }) => topK >= numExperts);
  expectArgument(caller, 'layers', choosing.length > 0 && soft === undefined, 'choose fewer experts than they have', soft?.name ?? 'none that does');
  return choosing;
}
