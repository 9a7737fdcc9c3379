import { DataFormatError } from '@moe/core';

/** What a reader is reading, for its messages. */
export interface Source {
  /** Public function, first word of the message. */
  readonly caller: string;
  /** Name of the file, as the user knows it. */
  readonly file: string;
}

/** Options of every reader of bytes. */
export interface ReadOptions {
  /** Name of the file, for messages. @defaultValue 'bytes' */
  readonly file?: string;
}

/**
 * Throws unless a rule about foreign data holds.
 *
 * @param rule   - completes "`file` must …".
 * @param remedy - one sentence that says what to do.
 * @throws DataFormatError `caller: file must rule, got value. remedy`
 */
export function expectFormat({ caller, file }: Source, holds: boolean, rule: string, got: string | number, remedy: string, cause?: unknown): asserts holds {
  if (!holds) throw new DataFormatError(`${caller}: ${file} must ${rule}, got ${got}. ${remedy}`, cause === undefined ? undefined : { cause });
}

export const DOWNLOAD_AGAIN = 'The file is damaged or not what its name says; download it again.';
