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

/** @param before a file with functions that the script calls */
function loadScript(name: string, before?: string): LuaScript {
  const read = (file: string): string => readFileSync(join(LUA_FOLDER, `${file}.lua`), 'utf8');
  const source = (before === undefined ? '' : read(before)) + read(name);
  return { name, source, sha: createHash('sha1').update(source).digest('hex') };
}

export const LUA_SCRIPTS = {
  append: loadScript('append', 'lost-state'),
  restore: loadScript('restore'),
  bounds: loadScript('bounds', 'lost-state'),
  held: loadScript('held'),
  newest: loadScript('newest'),
  raise: loadScript('raise'),
  sequenceAt: loadScript('sequence-at', 'lost-state'),
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
