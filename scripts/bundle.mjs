/**
 * Puts the programs that are started again and again into a few files each, with the packages they use: a server that
 * loads nearly 600 modules one by one needs twice the processor time until it is ready.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** They find binaries or files of their own beside them. */
const LEFT_OUT = ['lmdb', '@lydell/node-pty', 'protobufjs'];

/** Bundles what the compiler has left in `dist/src` and `dist/drains`, into `dist/bundle`. */
export async function bundle(root) {
  const program = (...path) => join(root, 'dist', 'src', ...path);
  const viewer = join(root, 'dist', 'drains', 'viewer', 'main.js');
  const built = await rolldown({
    input: {
      tailrace: program('cli', 'main.js'),
      'pre-receive': program('apps', 'build', 'pre-receive.js'),
      'parsing-worker': program('logs', 'sources', 'bodies', 'parsing-worker.js'),
      'scan-worker': program('logs', 'tails', 'history', 'scan-worker.js'),
      'addon-errors': program('apps', 'addon-services', 'errors', 'main.js'),
      'addon-metrics': program('apps', 'addon-services', 'metrics', 'main.js'),
      'addon-mail': program('apps', 'addon-services', 'mail', 'main.js'),
      'addon-mail-parser': program('apps', 'addon-services', 'mail', 'parsing', 'mail-worker.js'),
      'viewer-store-worker': join(root, 'dist', 'drains', 'viewer', 'store', 'jobs', 'job-worker.js'),
      'remove-ignored': program('apps', 'build', 'remove-ignored.js'),
      viewer,
    },
    platform: 'node',
    external: LEFT_OUT,
    // Optional packages that aren't there, and `eval` in packages: both are as they should be.
    checks: { eval: false },
  });
  await built.write({
    dir: join(root, 'dist', 'bundle'),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'parts/[name]-[hash].js',
    cleanDir: true,
  });
  await built.close();
  // Where it is documented to be; the bundle starts faster.
  writeFileSync(viewer, "#!/usr/bin/env node\nimport '../../bundle/viewer.js';\n");
  // It goes into slugs, alone.
  const single = await rolldown({
    input: { 'static-server': program('apps', 'build', 'static', 'static-server.js') },
    platform: 'node',
  });
  await single.write({
    dir: join(root, 'dist', 'bundle', 'static-server'),
    format: 'esm',
    entryFileNames: '[name].js',
  });
  await single.close();
}
