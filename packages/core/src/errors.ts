const MARKER = Symbol.for('moe.error');

/** What went wrong, for programs; the message is for people. */
export type MoeErrorCode = 'ARGUMENT' | 'SHAPE' | 'NUMERICS' | 'DATA_FORMAT' | 'BACKEND' | 'CHECKPOINT' | 'FILE' | 'ABORTED';

/**
 * Base of every error that the `@moe/*` packages throw on purpose.
 *
 * @remarks
 * Recognise it with {@link isMoeError}, not `instanceof`: a program may hold an ESM and a CJS copy of this package.
 */
export class MoeError extends Error {
  readonly code: MoeErrorCode;
  readonly [MARKER] = true;

  constructor(code: MoeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A value breaks the rule that its name documents. */
export class ArgumentError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('ARGUMENT', message, options);
  }
}

/** Ranks or sizes disagree. */
export class ShapeError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('SHAPE', message, options);
  }
}

/** A number that must be finite is not. */
export class NumericsError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('NUMERICS', message, options);
  }
}

/** A file is missing, truncated, too large or not what it claims to be. */
export class DataFormatError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('DATA_FORMAT', message, options);
  }
}

/** An engine is missing, or lacks what was asked of it. */
export class BackendError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('BACKEND', message, options);
  }
}

/** A checkpoint or state file belongs to something else, or is damaged. */
export class CheckpointError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('CHECKPOINT', message, options);
  }
}

/** A file cannot be written: the disk is full, or the place is forbidden. */
export class FileError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('FILE', message, options);
  }
}

/** The caller's `AbortSignal` fired; state written before stays valid. */
export class AbortedError extends MoeError {
  constructor(message: string, options?: ErrorOptions) {
    super('ABORTED', message, options);
  }
}

/**
 * Tells whether a caught value is a {@link MoeError}, from any copy of this package, optionally of one code.
 *
 * @example
 * try { pgd({ eps: -1 }); } catch (error) { if (isMoeError(error, 'ARGUMENT')) console.error(error.message); else throw error; }
 */
export function isMoeError(value: unknown, code?: MoeErrorCode): value is MoeError {
  return typeof value === 'object' && value !== null && MARKER in value && (code === undefined || (value as MoeError).code === code);
}
