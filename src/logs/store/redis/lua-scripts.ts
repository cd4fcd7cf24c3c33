/** The Lua scripts in `lua/`, read once. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';

const LUA_FOLDER = join(PACKAGE_ROOT, 'dist', 'src', 'logs', 'store', 'redis', 'lua');

export interface LuaScript {
  readonly name: string;
  readonly source: string;
  /** Redis runs it by this (`EVALSHA`) once it was sent. */
  readonly sha: string;
}

function loadScript(name: string): LuaScript {
  const source = readFileSync(join(LUA_FOLDER, `${name}.lua`), 'utf8');
  return { name, source, sha: createHash('sha1').update(source).digest('hex') };
}

export const LUA_SCRIPTS = {
  append: loadScript('append'),
  restore: loadScript('restore'),
  bounds: loadScript('bounds'),
  held: loadScript('held'),
  newest: loadScript('newest'),
  raise: loadScript('raise'),
  sequenceAt: loadScript('sequence-at'),
  transact: loadScript('records/transact'),
  list: loadScript('records/list'),
  listOfApp: loadScript('records/list-of-app'),
  acquire: loadScript('acquire'),
  release: loadScript('release'),
  clock: loadScript('clock'),
  trim: loadScript('trim'),
  rewrite: loadScript('rewrite'),
  probe: loadScript('probe'),
} as const;
