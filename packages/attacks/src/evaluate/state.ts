import { CheckpointError, isMoeError } from '@moe/core';
import { type Tally, countOnes } from './tally.js';

/** Where {@link evaluate} keeps what it has learnt, so that it can go on after an interruption. */
export interface EvaluationState {
  /** The text written last, or undefined if there is none. */
  read(): Promise<string | undefined>;
  /** Replaces the text, whole or not at all. */
  write(text: string): Promise<void>;
}

/** What a state belongs to; two runs with the same fingerprint give the same result. */
export type Fingerprint = Readonly<Record<string, unknown>>;

const SCHEMA = 'moe.evaluation-state/1';

export const writeState = (fingerprint: Fingerprint, tally: Tally): string => JSON.stringify({ schema: SCHEMA, fingerprint, tally });

/**
 * Reads a state back.
 *
 * @throws {@link CheckpointError} if it is damaged, or belongs to another evaluation; the message says what differs.
 */
export function readState(text: string, fingerprint: Fingerprint, attacks: readonly string[], draws: number): Tally {
  const state = parse(text);
  const wanted = JSON.parse(JSON.stringify(fingerprint)) as Fingerprint;
  const differing = Object.keys(wanted).filter((key) => JSON.stringify(wanted[key]) !== JSON.stringify(state.fingerprint[key]));
  if (differing.length > 0) {
    const details = differing.map((key) => `${key} was ${show(state.fingerprint[key])}, now ${show(wanted[key])}`).join('; ');
    throw new CheckpointError(`evaluate: state belongs to another evaluation: ${details}. Delete it, or use another one for this evaluation.`);
  }
  if (!isTally(state.tally, attacks, draws)) throw damaged('its content does not fit together');
  return state.tally;
}

const damaged = (why: string, cause?: unknown): CheckpointError =>
  new CheckpointError(`evaluate: state is damaged: ${why}. Delete it to start again.`, cause === undefined ? undefined : { cause });

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function parse(text: string): { fingerprint: Fingerprint; tally: unknown } {
  try {
    const state: unknown = JSON.parse(text);
    if (!isObject(state) || state['schema'] !== SCHEMA) throw damaged(`it must have schema '${SCHEMA}'`);
    if (!isObject(state['fingerprint'])) throw damaged('it has no fingerprint');
    return { fingerprint: state['fingerprint'], tally: state['tally'] };
  } catch (error) {
    throw isMoeError(error) ? error : damaged('it must be JSON', error);
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isLength = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isListOf = (value: unknown, isEntry: (entry: unknown) => boolean): boolean => Array.isArray(value) && value.every(isEntry);
const isFlags = (value: unknown, length: number): value is string => typeof value === 'string' && value.length === length && /^[01]*$/.test(value);

function isTally(value: unknown, attacks: readonly string[], draws: number): value is Tally {
  if (!isObject(value)) return false;
  const { ids, clean, robust, rights, lengths, signs } = value;
  if (!Array.isArray(ids) || !ids.every(isCount) || !isFlags(clean, ids.length)) return false;
  if (!isObject(robust) || !isObject(rights) || !isObject(rights['robust']) || !isObject(lengths) || !isObject(signs)) return false;
  const correct = countOnes(clean);
  const counts = [rights['clean'], ...attacks.map((name) => (rights['robust'] as Readonly<Record<string, unknown>>)[name])];
  const areCounts = (list: unknown): boolean => isListOf(list, (count) => isCount(count) && count <= draws) && (list as readonly unknown[]).length === (draws === 1 ? 0 : ids.length);
  return (
    counts.every(areCounts) &&
    attacks.every((name) => isFlags(robust[name], ids.length)) &&
    attacks.every((name) => {
      const list = lengths[name];
      return Array.isArray(list) && (list.length === 0 || list.length === correct) && list.every(isLength);
    }) &&
    ['zeroGradients', 'mismatches'].every((key) => isListOf(signs[key], isCount)) &&
    ['probabilities', 'logProbabilities'].every((key) => typeof signs[key] === 'boolean') &&
    ['repeatDifference', 'batchDifference', 'outputBits'].every((key) => isLength(signs[key])) &&
    isListOf(signs['changedWeights'], (name) => typeof name === 'string')
  );
}
