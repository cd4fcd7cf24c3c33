/**
 * What starts a sandbox is outside of it, and does what its environment says: `LD_PRELOAD` and `PATH` are enough to run a dyno's own files there. So it
 * gets nothing of a dyno's environment but one variable, which the first program inside unpacks.
 */
import type { Environment } from './config/dyno-env.ts';

const PACKED = 'TAILRACE_DYNO_ENV';
/** Linux takes 128 KB for one variable, and config vars have 64 KB in all, of which each quote takes four characters here. */
const PACKED_PARTS_MAX = 8;
const PART_PATTERN = /.{1,60000}/gsu;
const NAME_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Shells end when these are set to what they can't be; the dyno's own shell sets them anyway. */
const OWN_OF_SHELLS: ReadonlySet<string> = new Set([
  'BASHOPTS',
  'BASH_VERSINFO',
  'EUID',
  'OPTIND',
  'PPID',
  'SHELLOPTS',
  'UID',
]);

const packedNames = Array.from({ length: PACKED_PARTS_MAX }, (_, i) => `${PACKED}_${i}`);

/** Commands of a shell inside, after which the environment is the dyno's. */
export const RESTORE_ENVIRONMENT = `unset SHLVL && eval "${packedNames.map((name) => `$${name}`).join('')}" && unset ${packedNames.join(' ')}`;

/**
 * The environment of what starts a sandbox.
 * @param env a dyno's; what can't be a shell's variable is left out
 */
export function outerEnvironment(env: Environment): Environment {
  const assignments = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && NAME_PATTERN.test(name) && !OWN_OF_SHELLS.has(name)
      ? [`export ${name}='${value.replaceAll("'", "'\\''")}'\n`]
      : [],
  );
  const parts = assignments.join('').match(PART_PATTERN) ?? [];
  const packed = parts.map((part, i) => [`${PACKED}_${i}`, part]);
  // By its id a dyno's processes are found again. The outermost bash would read a .bashrc when its input is a socket.
  const { HEROKU_DYNO_ID } = env;
  return { PATH: process.env.PATH, HEROKU_DYNO_ID, SHLVL: '1', ...Object.fromEntries(packed) };
}
