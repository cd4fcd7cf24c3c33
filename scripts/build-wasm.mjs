/**
 * Compiles the WebAssembly fast paths (`wasm-*.as.ts`, AssemblyScript) and writes each as text into the `wasm-*-binary.ts` beside it, so
 * that neither users nor the build need the compiler. With --check: fails when such a file isn't what the source gives.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Where what callers lay out begins: static data that end behind it would be overwritten, and the compiler refuses them. */
const FIRST_REGION = firstRegion();
const OPTIONS = ['--runtime', 'stub', '-O3', '--noAssert', '--enable', 'simd', '--memoryBase', '1024'];
const LIMIT = ['--lowMemoryLimit', FIRST_REGION];

/** Source without its ending → the constant that holds the compiled module, and pages of memory (64 KiB). */
const MODULES = {
  'src/logs/syslog/wasm/wasm-codec': ['CODEC_WASM', 2_352],
  'src/logs/sources/formats/wasm/wasm-records': ['RECORDS_WASM', 32],
  'src/logs/sources/bodies/wasm/wasm-inflate': ['INFLATE_WASM', 8],
  'src/logs/drains/encoders/wasm/wasm-lines': ['LINES_WASM', 546],
  'src/logs/drains/filter/wasm-scan': ['SCAN_WASM', 18],
  'src/logs/store/redis/wasm/wasm-packing': ['PACKING_WASM', 32],
  'src/logs/tails/output/wasm-text': ['TEXT_WASM', 32],
  'src/logs/query/prefilter/wasm-search': ['SEARCH_WASM', 68],
  'drains/viewer/store/filter/wasm-grams': ['GRAMS_WASM', 6],
  'drains/viewer/alerts/matching/wasm-gram-scan': ['GRAM_SCAN_WASM', 12],
  'src/apps/forwarder/wasm-framer': ['FRAMER_WASM', 32],
};

for (const [module, [constant, pages]] of Object.entries(MODULES)) {
  const target = `${module}-binary.ts`;
  const text = compiled(`${module}.as.ts`, constant, pages);
  if (text === undefined) continue;
  if (!process.argv.includes('--check')) writeFileSync(join(root, target), text);
  else if (readFileSync(join(root, target), 'utf8') !== text) {
    process.stderr.write(`${target} is not what ${module}.as.ts gives: run \`npm run build:wasm\`.\n`);
    process.exitCode = 1;
  }
}

/** What `layOutRegions` says. */
function firstRegion() {
  const layout = readFileSync(join(root, 'src/common/wasm/wasm-module.ts'), 'utf8');
  const [, bytes] = /^const FIRST_REGION = ([\d_]+);$/m.exec(layout) ?? [];
  if (!bytes) throw new Error('wasm-module.ts doesn’t say where the first region of a module’s memory is');
  return bytes.replaceAll('_', '');
}

function compiled(source, constant, pages) {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-wasm-'));
  try {
    const output = join(folder, 'module.wasm');
    const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
    execFileSync(
      process.execPath,
      [compiler, source, '--outFile', output, '--initialMemory', String(pages), ...OPTIONS, ...LIMIT],
      {
        cwd: root,
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    );
    const lines =
      readFileSync(output)
        .toString('base64')
        .match(/.{1,96}/g) ?? [];
    return [
      `/** Made by \`npm run build:wasm\` from ${basename(source)}; don’t edit. */`,
      `export const ${constant} =`,
      ...lines.map((line, i) => `  '${line}'${i === lines.length - 1 ? ';' : ' +'}`),
      '',
    ].join('\n');
  } catch {
    // What is wrong the compiler has said. "Low memory limit exceeded by static data" is about the first region.
    process.stderr.write(
      `${source} was not compiled. Its static data have to end before ${FIRST_REGION}, FIRST_REGION of src/common/wasm/wasm-module.ts.\n`,
    );
    process.exitCode = 1;
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
