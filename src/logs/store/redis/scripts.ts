/** The Lua scripts in `lua/`, read once. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_FOLDER } from '../../../common/package.ts';

const FOLDER = join(PACKAGE_FOLDER, 'dist', 'src', 'logs', 'store', 'redis', 'lua');

export interface Script {
  readonly name: string;
  readonly source: string;
  /** By this Redis knows it once it was sent. */
  readonly sha: string;
}

function script(name: string): Script {
  const source = readFileSync(join(FOLDER, `${name}.lua`), 'utf8');
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
