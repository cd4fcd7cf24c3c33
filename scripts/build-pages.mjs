/**
 * Builds the live page into dist/page, each page of an add-on service (a folder of src/web/addons) into dist/addon-pages, and the
 * viewer's page (src/web/viewer) into dist/viewer-page.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const web = join(root, 'src', 'web');
const configFile = join(web, 'vite.config.ts');

/** A page with relative addresses: what is in front of its own differs from server to server. */
const buildRelocatable = (folder, outDir) =>
  build({
    root: folder,
    configFile,
    logLevel: 'warn',
    publicDir: join(web, 'public'),
    base: './',
    build: { outDir: join(root, 'dist', ...outDir) },
  });

await build({ root: web, configFile, logLevel: 'warn' });
await buildRelocatable(join(web, 'viewer'), ['viewer-page']);
const addons = join(web, 'addons');
for (const page of existsSync(addons) ? readdirSync(addons, { withFileTypes: true }) : []) {
  const folder = join(addons, page.name);
  if (existsSync(join(folder, 'index.html'))) await buildRelocatable(folder, ['addon-pages', page.name]);
}
