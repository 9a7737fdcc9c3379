import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** Wrong use of the command line; exit code 2. */
export class UsageError extends Error {}

/** Paths are those of the folder in which the command was given; pnpm itself goes to that of the package. */
export const fromHere = (path: string): string => resolve(process.env['INIT_CWD'] ?? '.', path);

/** Values of a command line, by flag; each throws {@link UsageError} for a value that makes no sense. */
export interface Flags<Flag extends string> {
  text(flag: Flag): string | undefined;
  needed(flag: Flag): string;
  /** A path, as of the folder in which the command was given. */
  path(flag: Flag): string | undefined;
  oneOf<T extends string>(flag: Flag, allowed: readonly T[], preset: T): T;
  whole(flag: Flag, preset: number): number;
  /** Numbers with commas, as many as one of `counts`, or any number of them. */
  numbers(flag: Flag, preset: string, counts?: readonly number[]): number[];
}

export function fail(flag: string, rule: string, value: string | undefined): never {
  throw new UsageError(`--${flag} ${rule}${value === undefined ? '' : `, got ${value}`}. --help lists the options.`);
}

/**
 * Reads flags that all have a value, besides `--help` and `--version`.
 *
 * @throws {@link UsageError} for an unknown flag.
 */
export function readFlags<Flag extends string>(args: readonly string[], names: readonly Flag[]): Flags<Flag> | 'help' | 'version' {
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    const known = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    // pnpm passes the separator of `start -- --flag` on.
    ({ values } = parseArgs({ args: args.filter((arg) => arg !== '--'), options: { ...known, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message} --help lists the options.`);
  }
  if (values['help'] === true) return 'help';
  if (values['version'] === true) return 'version';
  const text = (flag: Flag): string | undefined => values[flag] as string | undefined;
  return {
    text,
    needed: (flag) => text(flag) ?? fail(flag, 'is needed', undefined),
    path: (flag) => {
      const given = text(flag);
      return given === undefined ? undefined : fromHere(given);
    },
    oneOf: (flag, allowed, preset) => allowed.find((value) => value === (text(flag) ?? preset)) ?? fail(flag, `must be one of ${allowed.join(', ')}`, text(flag)),
    whole: (flag, preset) => {
      const value = Number(text(flag) ?? preset);
      return Number.isSafeInteger(value) && value >= 1 ? value : fail(flag, 'must be a whole number from 1', text(flag));
    },
    numbers: (flag, preset, counts) => {
      const found = (text(flag) ?? preset).split(',').map(Number);
      return found.every(Number.isFinite) && (counts?.includes(found.length) ?? true) ? found : fail(flag, `must be ${counts === undefined ? '' : `${counts.join(' or ')} `}numbers with commas`, text(flag));
    },
  };
}
