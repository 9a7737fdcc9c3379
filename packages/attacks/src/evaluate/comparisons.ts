import type { FindingId } from './evaluation.js';
import type { AttackFacts } from './tally.js';

/** Two attacks of which one can only do better, if gradients lead where they should. */
export interface Comparison {
  readonly id: Extract<FindingId, 'larger-eps-weaker' | 'more-steps-weaker' | 'single-step-stronger' | 'stronger-attack-weaker'>;
  readonly weaker: AttackFacts;
  readonly stronger: AttackFacts;
}

/** Later kinds contain what makes the earlier ones strong. */
const KINDS = ['fgsm', 'pgd', 'apgd'];
const EFFORTS = ['steps', 'restarts', 'queries', 'targets'];
/** Options that follow from others, or only name the attack. */
const DERIVED = ['stepSize', 'startSize', 'label'];

/** Kind of an attack, `'pgd'` for a PGD with any label. */
const kindOf = ({ name }: AttackFacts): string => name.split(':')[0]!;
const optionsOf = ({ options }: AttackFacts): Readonly<Record<string, unknown>> => options as Readonly<Record<string, unknown>>;

/** Whether two attacks were given the same but for some options. */
function alike(a: AttackFacts, b: AttackFacts, except: readonly string[]): boolean {
  const given = (attack: AttackFacts): string => JSON.stringify(Object.entries(optionsOf(attack)).filter(([key]) => !except.includes(key)));
  return kindOf(a) === kindOf(b) && given(a) === given(b);
}

/** Whether two attacks search the same ball for the same, so that their numbers can be compared. */
export function sameBall(a: AttackFacts, b: AttackFacts): boolean {
  const ball = (attack: AttackFacts): string => JSON.stringify([...['norm', 'eps', 'bounds'].map((key) => optionsOf(attack)[key]), optionsOf(attack)['target'] ?? 'none']);
  return ball(a) === ball(b);
}

const numberOf = (attack: AttackFacts, key: string): number => Number(optionsOf(attack)[key] ?? 0);

function compare(weaker: AttackFacts, stronger: AttackFacts): Comparison['id'] | undefined {
  if (alike(weaker, stronger, ['eps', ...DERIVED]) && numberOf(stronger, 'eps') > numberOf(weaker, 'eps')) return 'larger-eps-weaker';
  if (!sameBall(weaker, stronger)) return undefined;
  const more = EFFORTS.map((key) => numberOf(stronger, key) - numberOf(weaker, key));
  if (alike(weaker, stronger, [...EFFORTS, ...DERIVED]) && more.every((by) => by >= 0) && more.some((by) => by > 0)) return 'more-steps-weaker';
  const [low, high] = [KINDS.indexOf(kindOf(weaker)), KINDS.indexOf(kindOf(stronger))];
  if (low < 0 || high <= low) return undefined;
  return low === 0 ? 'single-step-stronger' : 'stronger-attack-weaker';
}

/** All pairs of attacks whose order is known in advance. */
export const comparisonsOf = (attacks: readonly AttackFacts[]): Comparison[] =>
  attacks.flatMap((weaker) =>
    attacks.flatMap((stronger) => {
      const id = compare(weaker, stronger);
      return id === undefined ? [] : [{ id, weaker, stronger }];
    }),
  );
