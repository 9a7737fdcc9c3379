// Compiles the kernels and writes them as base64 into src/wasm/binary.ts, so that no bundler has to find one more .wasm file.
// The compiler is fetched by the package manager when this runs; nobody else needs it.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COMPILER = 'assemblyscript@0.28.20';
const FLAGS = ['--enable', 'simd', '--runtime', 'stub', '--importMemory', '--noExportMemory', '--initialMemory', '0', '-O3', '--noAssert'];

const here = import.meta.dirname;
const folder = mkdtempSync(join(tmpdir(), 'assembly-'));
try {
  // The sources are AssemblyScript, which TypeScript's tools cannot read; its compiler insists on the ending all the same.
  for (const file of readdirSync(here).filter((name) => name.endsWith('.as'))) copyFileSync(join(here, file), join(folder, file.replace(/as$/, 'ts')));
  const binary = join(folder, 'kernels.wasm');
  execFileSync('npx', ['-y', '-p', COMPILER, 'asc', 'index.ts', ...FLAGS, '-o', binary], { cwd: folder, stdio: 'inherit' });
  const lines = readFileSync(binary).toString('base64').match(/.{1,160}/g);
  const text = lines.map((line) => `  '${line}'`).join(' +\n');
  writeFileSync(join(here, '../src/wasm/binary.ts'), `// Generated from ../../assembly by \`pnpm assembly\`; do not edit.\nexport const BINARY =\n${text};\n`);
} finally {
  rmSync(folder, { recursive: true });
}
