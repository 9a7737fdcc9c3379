// Downloads through the pip of this machine, from an index on this machine.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { downloadWheel } from './pip.js';
import { TENSORFLOW_VERSION } from './platform.js';

/** Major and minor version of pip, which takes up broken downloads from 25.1 on. */
const [major = 0, minor = 0] = (/pip (\d+)\.(\d+)/.exec(spawnSync('python3', ['-m', 'pip', '--version'], { encoding: 'utf8' }).stdout ?? '') ?? []).slice(1).map(Number);
const resumes = major > 25 || (major === 25 && minor >= 1);

const TAG = 'manylinux_2_27_x86_64';
const NAME = `tensorflow_cpu-${TENSORFLOW_VERSION}-cp312-cp312-${TAG}.whl`;

/** Writes a wheel of a megabyte with the metadata that pip asks for. */
const MAKE_WHEEL = `
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tensorflow/libraries", os.urandom(1 << 20))
    info = "tensorflow_cpu-${TENSORFLOW_VERSION}.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tensorflow-cpu\\nVersion: ${TENSORFLOW_VERSION}\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\n")
    wheel.writestr(info + "RECORD", "")
`;

describe.skipIf(!resumes)('downloadWheel (skipped where pip is older than 25.1, which begins anew)', () => {
  const ranges: (string | undefined)[] = [];
  let server: Server;
  let folder: string;
  let bytes: Buffer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moe-pip-'));
    expect(spawnSync('python3', ['-c', MAKE_WHEEL, join(folder, NAME)], { encoding: 'utf8' }).stderr).toBe('');
    bytes = readFileSync(join(folder, NAME));
    server = createServer(({ url = '', headers }, response) => {
      if (!url.endsWith('.whl')) return void response.setHeader('content-type', 'text/html').end(`<a href="/${NAME}">${NAME}</a>`);
      ranges.push(headers.range);
      const start = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(headers.range === undefined ? 200 : 206, {
        'accept-ranges': 'bytes',
        etag: '"one"',
        'content-length': bytes.length - start,
        ...(headers.range !== undefined && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
      });
      // The first connection breaks in the middle.
      if (ranges.length > 1) return void response.end(bytes.subarray(start));
      response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    vi.stubEnv('PIP_INDEX_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`);
    vi.stubEnv('PIP_CONFIG_FILE', process.platform === 'win32' ? 'nul' : '/dev/null');
  });
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('goes on where the connection broke', async () => {
    const seen: number[] = [];
    const file = await downloadWheel({ package: 'tensorflow-cpu', tag: TAG, sha256: '', bytes: bytes.length }, join(folder, 'download'), ({ done }) => seen.push(done), undefined);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    expect(ranges).toHaveLength(2);
    expect(ranges[0]).toBeUndefined();
    const start = Number(/^bytes=(\d+)-/.exec(ranges[1] ?? '')?.[1]);
    expect(start).toBeGreaterThan(0);
    expect(start).toBeLessThanOrEqual(bytes.length / 2);
    for (const done of seen) expect(done).toBeLessThanOrEqual(bytes.length);
  });
});
