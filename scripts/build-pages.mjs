/** Builds the live page into dist/page, and each page of an add-on service (a folder of src/web/addons) into dist/addon-pages. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const web = join(root, 'src', 'web');
const configFile = join(web, 'vite.config.ts');

await build({ root: web, configFile, logLevel: 'warn' });
const addons = join(web, 'addons');
for (const page of existsSync(addons) ? readdirSync(addons, { withFileTypes: true }) : []) {
  const folder = join(addons, page.name);
  if (!existsSync(join(folder, 'index.html'))) continue;
  await build({
    root: folder,
    configFile,
    logLevel: 'warn',
    publicDir: join(web, 'public'),
    // It is served below an address that differs for each add-on.
    base: './',
    build: { outDir: join(root, 'dist', 'addon-pages', page.name) },
  });
}
