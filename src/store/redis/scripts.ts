/** The Lua scripts beside this file, read once. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Script {
  readonly name: string;
  readonly source: string;
  /** By this Redis knows it once it was sent. */
  readonly sha: string;
}

function script(name: string): Script {
  const source = readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8');
  return { name, source, sha: createHash('sha1').update(source).digest('hex') };
}

export const SCRIPTS = {
  append: script('append'),
  restore: script('restore'),
  bounds: script('bounds'),
  newest: script('newest'),
  raise: script('raise'),
  sequenceAt: script('sequence-at'),
  transact: script('transact'),
  list: script('list'),
  acquire: script('acquire'),
  release: script('release'),
} as const;
