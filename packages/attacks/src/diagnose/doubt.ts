import type { Finding, FindingId, Trust } from '../evaluate/evaluation.js';

export const finding = (id: FindingId, severity: Exclude<Trust, 'ok'>, message: string, advice: string, examples: readonly number[] = []): Finding => ({ id, severity, message, advice, examples });

/** One example may be chance; more than one, and more than one point of all, is not. */
export const severityOf = (count: number, examples: number): Exclude<Trust, 'ok'> => (count > 1 && count > 0.01 * examples ? 'invalid' : 'suspect');
