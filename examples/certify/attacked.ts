import { evaluate } from '@moe/attacks';
import { attacksOf, type Preset } from '@moe/example-evaluate-any-model/attacks';
import type { Subject } from './subject.js';

export interface AttackedOptions {
  /** Which images, by their index in the data set. */
  readonly ids: readonly number[];
  /** L2, rising. */
  readonly radii: readonly number[];
  readonly preset: Preset;
  readonly seed: number;
  readonly tell: (line: string) => void;
}

/**
 * How long a perturbation had to be, for each image: 0 where it is wrong as it is, ∞ where no attack within the largest radius fooled it.
 *
 * @remarks
 * An image that falls at one radius has fallen at all larger ones, so those see only what is left.
 */
export async function attackedLengths({ model, modelId, data }: Pick<Subject, 'model' | 'modelId' | 'data'>, { ids, radii, preset, seed, tell }: AttackedOptions): Promise<Map<number, number>> {
  const lengths = new Map<number, number>(ids.map((id) => [id, Infinity]));
  let standing = ids;
  for (const eps of radii) {
    if (standing.length === 0) break;
    const { flags, perturbations, findings } = await evaluate({ model, modelId, data, attacks: attacksOf({ attack: preset, eps, norm: 'L2' }), seed, indices: standing });
    flags.ids.forEach((id, i) => {
      if (flags.clean[i] === '0') lengths.set(id, 0);
      const fooled = Object.entries(flags.robust).filter(([, robust]) => robust[i] === '0').map(([name]) => perturbations[name]![rightBefore(flags.clean, i)]!);
      // Rounding may put a point a hair outside its ball.
      if (flags.clean[i] === '1' && fooled.length > 0) lengths.set(id, Math.min(eps, ...fooled));
    });
    standing = standing.filter((id) => lengths.get(id) === Infinity);
    tell(`attacked at ${eps}: ${standing.length} of ${ids.length} stand${findings.map(({ id }) => `, ${id}`).join('')}`);
  }
  return lengths;
}

/** Perturbations are listed of images that are right without attack, in order. */
const rightBefore = (clean: string, i: number): number => clean.slice(0, i).replaceAll('0', '').length;
