import type { Ignored } from './ignored.js';

export const IGNORED_ON_TENSORFLOW: readonly Ignored[] = [];
