/**
 * Compiles src/syslog/express.as.ts (AssemblyScript) to WebAssembly and writes it into src/syslog/express-wasm.ts, so that
 * neither users nor the build need the compiler. With --check: fails when that file isn't what the source gives.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'src', 'syslog', 'express-wasm.ts');
const folder = mkdtempSync(join(tmpdir(), 'tailrace-express-'));
try {
  const output = join(folder, 'express.wasm');
  const options = [
    '--runtime',
    'stub',
    '-O3',
    '--noAssert',
    '--enable',
    'simd',
    '--initialMemory',
    '32',
    '--memoryBase',
    '1024',
  ];
  const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  execFileSync(process.execPath, [compiler, 'src/syslog/express.as.ts', '--outFile', output, ...options], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const lines =
    readFileSync(output)
      .toString('base64')
      .match(/.{1,96}/g) ?? [];
  const text = [
    '/** Made by `npm run build:express` from express.as.ts; don’t edit. */',
    'export const EXPRESS_WASM =',
    ...lines.map((line, i) => `  '${line}'${i === lines.length - 1 ? ';' : ' +'}`),
    '',
  ].join('\n');
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write(
      'src/syslog/express-wasm.ts is not what express.as.ts gives: run `npm run build:express`.\n',
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
