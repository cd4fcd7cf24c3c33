/** The web UI at `/`: what Vite has built of src/web, served from memory without a key. The API that it calls needs one. */
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../common/errors.ts';
import { loadStaticFiles, sendStaticFile } from '../common/http/static-files.ts';
import { PACKAGE_ROOT } from '../common/package-info.ts';

/** Serves the web UI; where it wasn't built, `/` responds with how to build it. */
export function webUiRoutes(server: FastifyInstance): void {
  const files = loadStaticFiles(join(PACKAGE_ROOT, 'dist', 'page'));
  for (const [path, file] of files)
    server.get(path, { exposeHeadRoute: true }, async (request, reply) =>
      sendStaticFile(file, request, reply),
    );
  if (!files.has('/'))
    server.get('/', async () => {
      throw new TailraceError('not_found', 'The live page was not built: run `npm run build`.');
    });
}
