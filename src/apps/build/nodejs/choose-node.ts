/** Which Node.js an app gets, and an npm that runs on it. */
import semver from 'semver';

/** Range of Node.js versions of npm's major versions (`engines` in their package.json). */
const NODE_BY_NPM: readonly (readonly [npm: number, node: string])[] = [
  [11, '^20.17.0 || >=22.9.0'],
  [10, '^18.17.0 || >=20.5.0'],
  [9, '^14.17.0 || ^16.13.0 || >=18.0.0'],
  [8, '^12.13.0 || ^14.15.0 || >=16.0.0'],
  [6, '*'],
];

export type NodeChoice =
  | { readonly kind: 'installed'; readonly version: string }
  /** To be fetched: the newest of this range. */
  | { readonly kind: 'fetched'; readonly range: string }
  | { readonly kind: 'invalid'; readonly version: string };

/**
 * The server's own Node.js when it will do, otherwise the newest that does.
 * @param range `engines.node`; undefined: any
 */
export function chooseNode(range: string | undefined, installed: string): NodeChoice {
  const version = semver.valid(installed.trim()) ?? '0.0.0';
  if (range === undefined || range.trim() === '') return { kind: 'installed', version };
  if (semver.validRange(range) === null) return { kind: 'invalid', version };
  return semver.satisfies(version, range) ? { kind: 'installed', version } : { kind: 'fetched', range };
}

/** Does this npm run on this Node.js? One that isn't known does. */
export function npmRunsOn(npm: string, node: string): boolean {
  const entry = NODE_BY_NPM.find(([major]) => major === semver.parse(npm.trim())?.major);
  return entry === undefined || semver.satisfies(node, entry[1]);
}

/** The newest npm for a Node.js, as a range. */
export function npmRangeFor(node: string): string {
  const [major] = NODE_BY_NPM.find(([, range]) => semver.satisfies(node, range)) ?? [6];
  return `${major}.x`;
}
