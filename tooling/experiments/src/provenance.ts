import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { version_core as tfjsVersion } from '@tensorflow/tfjs-core';

/** Versions and commit under which a run started. */
export interface Provenance {
  readonly moe: string;
  readonly tfjs: string;
  readonly node: string;
  readonly commit: string | null;
}

/** @param program - folder of the program, with its package.json. */
export function provenance(program: string): Provenance {
  const manifest = JSON.parse(readFileSync(join(program, 'package.json'), 'utf8')) as { version: string };
  let commit: string | null = null;
  try {
    commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: program, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    // A downloaded archive has no history.
  }
  return { moe: manifest.version, tfjs: tfjsVersion, node: process.version, commit };
}
