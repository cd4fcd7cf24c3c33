/**
 * Compiles the express lanes (`express.as.ts`, AssemblyScript) to WebAssembly and writes each into the `express-wasm.ts` beside it, so
 * that neither users nor the build need the compiler. With --check: fails when such a file isn't what the source gives.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const OPTIONS = [
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

for (const part of ['src/logs/syslog/wasm', 'src/logs/tails/output', 'src/apps/forwarder']) {
  const target = `${part}/express-wasm.ts`;
  const text = compiled(`${part}/express.as.ts`);
  if (!process.argv.includes('--check')) writeFileSync(join(root, target), text);
  else if (readFileSync(join(root, target), 'utf8') !== text) {
    process.stderr.write(`${target} is not what express.as.ts gives: run \`npm run build:express\`.\n`);
    process.exitCode = 1;
  }
}

function compiled(source) {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-express-'));
  try {
    const output = join(folder, 'express.wasm');
    const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
    execFileSync(process.execPath, [compiler, source, '--outFile', output, ...OPTIONS], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const lines =
      readFileSync(output)
        .toString('base64')
        .match(/.{1,96}/g) ?? [];
    return [
      '/** Made by `npm run build:express` from express.as.ts; don’t edit. */',
      'export const EXPRESS_WASM =',
      ...lines.map((line, i) => `  '${line}'${i === lines.length - 1 ? ';' : ' +'}`),
      '',
    ].join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
