import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Buildpack } from '../buildpacks/buildpack.ts';

/** Takes what says itself how it is run, and leaves it as it is. */
export const procfileBuildpack: Buildpack = {
  id: 'tailrace/procfile',
  async detect({ folder }) {
    return existsSync(join(folder, 'Procfile')) ? 'Procfile' : undefined;
  },
  async compile(shell) {
    shell.heading('Nothing to build: the Procfile says how to run it');
  },
  async release() {
    return {};
  },
};
