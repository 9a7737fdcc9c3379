import { ArgumentError } from '@moe/core';

/** Whether `path` is `place` or lies below it: `layer4` covers `layer4.1`, but `layer1` does not cover `layer10`. */
export const covers = (place: string, path: string): boolean => path === place || path.startsWith(`${place}.`);

/** Every prefix of the given paths that ends at a dot, and the paths. */
function prefixes(paths: readonly string[]): readonly string[] {
  const all = paths.flatMap((path) => {
    const parts = path.split('.');
    return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
  });
  return [...new Set(all)].sort();
}

/**
 * Checks that every place covers a module that can become an MoE layer.
 *
 * @param paths  - paths of all such modules.
 * @param option - name of the option that holds the places.
 * @throws {@link ArgumentError} that lists the valid places.
 */
export function expectPlaces(caller: string, places: readonly string[], paths: readonly string[], option = 'moe.at'): void {
  if (places.length === 0) throw new ArgumentError(`${caller}: ${option} must name at least one place, got []. Valid places: ${prefixes(paths).join(', ')}.`);
  for (const place of places) {
    if (paths.some((path) => covers(place, path))) continue;
    throw new ArgumentError(`${caller}: ${option} must be a place in the network, got '${place}'. Valid places: ${prefixes(paths).join(', ')}.`);
  }
}
