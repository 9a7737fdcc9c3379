// Shapes: R tokens of an example, E experts.

/**
 * Overlap of the experts that the tokens of one example chose in two passes: the mean of |A∩B| / |A∪B| over its tokens, undefined where none chose any; and whether all tokens chose the same.
 *
 * @param before - combine weights `[R,E]`; an expert is chosen where its weight is above 0.
 */
export function overlapOf(before: Float32Array, after: Float32Array, numExperts: number): { readonly overlap: number | undefined; readonly same: boolean } {
  let [total, tokens, same] = [0, 0, true];
  for (let at = 0; at < before.length; at += numExperts) {
    let [both, either] = [0, 0];
    for (let i = at; i < at + numExperts; i++) {
      const [a, b] = [before[i]! > 0, after[i]! > 0];
      both += Number(a && b);
      either += Number(a || b);
    }
    if (both !== either) same = false;
    if (either === 0) continue;
    total += both / either;
    tokens++;
  }
  return { overlap: tokens === 0 ? undefined : total / tokens, same };
}
