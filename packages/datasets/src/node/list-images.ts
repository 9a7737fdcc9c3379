import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { DataFormatError } from '@moe/core';
import { expectFormat } from '../internal/expect-format.js';

/** What {@link listImages} finds. */
export interface ImageList {
  readonly classNames: readonly string[];
  readonly paths: readonly string[];
  /** Index into `classNames`, one per path. */
  readonly labels: Int32Array;
}

const IMAGE = /\.(?:jpe?g|png)$/i;
const byCodeUnits = (a: Dirent, b: Dirent): number => (a.name < b.name ? -1 : 1);

/**
 * Lists `root/<class>/<image>`, sorted, without opening an image.
 *
 * @throws DataFormatError if there is no class, a class is empty, or a link leads out of `root`.
 */
export async function listImages(caller: string, root: string): Promise<ImageList> {
  const base = await realpath(root).catch((error: unknown) => {
    throw new DataFormatError(`${caller}: ${root} must exist, got no such folder. Check the path.`, { cause: error });
  });
  const classNames: string[] = [];
  const paths: string[] = [];
  const labels: number[] = [];
  for (const entry of await list(caller, base)) {
    const folder = join(base, entry.name);
    if ((await kindOf(caller, base, folder, entry)) !== 'folder') continue;
    const before = paths.length;
    for (const image of await list(caller, folder)) {
      const path = join(folder, image.name);
      if (!IMAGE.test(image.name) || (await kindOf(caller, base, path, image)) !== 'file') continue;
      paths.push(path);
      labels.push(classNames.length);
    }
    expectFormat({ caller, file: folder }, paths.length > before, 'hold .jpg, .jpeg or .png files, one class per folder', 'none', 'Remove the folder, or put its images into it directly.');
    classNames.push(entry.name);
  }
  expectFormat({ caller, file: root }, classNames.length > 0, 'hold one folder per class', 'none', 'Pass the folder above the class folders.');
  return { classNames, paths, labels: Int32Array.from(labels) };
}

async function list(caller: string, folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new DataFormatError(`${caller}: ${folder} must be a readable folder, got '${String(error)}'. Check its kind and permissions.`, { cause: error });
  });
  return entries.filter(({ name }) => !name.startsWith('.')).sort(byCodeUnits);
}

/** Follows a symbolic link only to a place inside `base`. */
async function kindOf(caller: string, base: string, path: string, entry: Dirent): Promise<'file' | 'folder' | 'other'> {
  if (!entry.isSymbolicLink()) return entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'other';
  const target = await realpath(path).catch(() => 'a missing file');
  expectFormat({ caller, file: path }, target.startsWith(base + sep), `link to a place inside ${base}`, target, 'Copy the images instead of linking them.');
  const info = await stat(target);
  return info.isDirectory() ? 'folder' : info.isFile() ? 'file' : 'other';
}
