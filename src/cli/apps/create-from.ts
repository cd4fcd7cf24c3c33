import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { TailraceError } from '../../common/errors.ts';
import type { ApiClient } from '../api-client.ts';
import { parseVariables } from '../repeated-option.ts';

/** What an `app.json` is used with. */
export interface ManifestOptions {
  /** A file, or a folder with an `app.json`. */
  readonly from: string;
  readonly env?: readonly string[];
  readonly environment?: string;
}

/** Makes an app as an `app.json` says. @returns its name, and what was done in lines */
export async function createFromManifest(
  client: ApiClient,
  name: string | undefined,
  { from, env, environment }: ManifestOptions,
): Promise<{ name: string; said: readonly string[] }> {
  const manifest = readFileSync(manifestFile(from), 'utf8');
  const { app, notes } = await client.request<{ app: { name: string }; notes: string[] }>(
    'POST',
    '/app-setups',
    {
      app: { name },
      manifest,
      environment,
      overrides: { env: parseVariables(env) },
    },
  );
  return { name: app.name, said: notes };
}

/** @throws TailraceError `not_found`, or `invalid_params` for a `heroku.yml` */
function manifestFile(from: string): string {
  const path = resolve(from);
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'app.json') : path;
  if (/\.ya?ml$/.test(basename(file)))
    throw new TailraceError(
      'invalid_params',
      "A heroku.yml has Docker images built, and that can't be done here: write what its `setup` says into an app.json, and what its `run` says into a Procfile.",
    );
  if (existsSync(file)) return file;
  throw new TailraceError('not_found', `There is no ${file}: name an app.json, or a folder with one.`);
}
