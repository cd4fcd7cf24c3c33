import { ApiClient, resolveApp } from '../api-client.ts';
import type { Completion, ValueKind } from './complete-word.ts';

/** Whoever waits for it has pressed a key. */
const TIMEOUT_MS = 1_000;
/** What every app has. */
const OWN_SOURCES = ['app', 'heroku'];

interface Resource {
  /** Behind the app's path; from the server's root when it begins with two slashes. */
  readonly path: string;
  readonly names: (answer: never) => readonly string[];
}

const RESOURCES: Readonly<Record<ValueKind, Resource>> = {
  apps: { path: '//apps', names: named },
  dynos: {
    path: '/dynos',
    names: (dynos: readonly { name: string; type: string }[]) =>
      dynos.flatMap(({ name, type }) => [name, type]),
  },
  'process types': {
    path: '/formation',
    names: (formation: readonly { type: string }[]) => formation.map(({ type }) => `${type}=`),
  },
  sources: {
    path: '/tokens',
    names: (tokens: readonly { source: string }[]) => [...OWN_SOURCES, ...tokens.map(({ source }) => source)],
  },
  drains: {
    path: '/log-drains',
    names: (drains: readonly { token: string }[]) => drains.map(({ token }) => token),
  },
  'add-ons': { path: '/addons', names: named },
  services: { path: '//addon-services', names: named },
  releases: {
    path: '/releases',
    names: (releases: readonly { version: number }[]) => releases.map(({ version }) => `v${version}`),
  },
  builds: { path: '/builds', names: (builds: readonly { id: string }[]) => builds.map(({ id }) => id) },
  'config vars': {
    path: '/config-vars',
    names: (vars: Readonly<Record<string, string>>) => Object.keys(vars),
  },
  domains: {
    path: '/domains',
    names: (domains: readonly { hostname: string }[]) => domains.map(({ hostname }) => hostname),
  },
};

/**
 * Asks the server for names; none when it can't be asked, since nobody reads errors there.
 * @param words of the command line, which may say for which app
 */
export async function findValues(found: Completion, words: readonly string[]): Promise<readonly string[]> {
  if (found.kind === 'words' || found.kind === 'files') return [];
  const { path, names } = RESOURCES[found.kind];
  try {
    const client = new ApiClient(undefined, TIMEOUT_MS);
    const full = path.startsWith('//')
      ? path.slice(1)
      : `/apps/${encodeURIComponent(await resolveApp(client, appOf(words)))}${path}`;
    return [...new Set(names((await client.request('GET', full)) as never))].sort();
  } catch {
    return [];
  }
}

function named(all: readonly { name: string }[]): readonly string[] {
  return all.map(({ name }) => name);
}

function appOf(words: readonly string[]): string | undefined {
  const at = words.findLastIndex((word) => word === '-a' || word === '--app');
  if (at !== -1 && at < words.length - 2) return words[at + 1];
  return words.find((word) => word.startsWith('--app='))?.slice('--app='.length);
}
