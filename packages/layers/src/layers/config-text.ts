/**
 * JSON of a value as a string that survives tfjs' model files.
 *
 * @remarks
 * tfjs rewrites every string and key of a layer's configuration between camelCase and snake_case, and loses what it cannot tell apart.
 * Written as `\u00..` escapes, capitals and underscores pass unchanged.
 */
export function toConfigText(value: unknown): string {
  return JSON.stringify(value).replace(/[A-Z_]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);
}

/** Inverse of {@link toConfigText}. */
export function fromConfigText(text: string): unknown {
  return JSON.parse(text);
}
