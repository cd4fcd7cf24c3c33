import { TailraceError } from '../../common/errors.ts';
import { ownValue } from '../../common/own-value.ts';
import type { Config } from './release-record.ts';

/** What a shell can export. */
const CONFIG_VAR_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Names and values of an app together, as on Heroku. */
const CONFIG_BYTES_MAX = 65_536;

/** New values by name; null removes a config var. */
export type ConfigChange = Readonly<Record<string, string | null>>;

/**
 * The config vars after a change, all of it.
 * @throws TailraceError `invalid_params` for a name that can't be exported, or too much in all. No message holds a value.
 */
export function applyConfigChange(config: Config, change: ConfigChange): Config {
  const next = new Map(Object.entries(config));
  for (const [name, value] of Object.entries(change)) {
    if (value === null) {
      next.delete(name);
      continue;
    }
    if (!CONFIG_VAR_NAME.test(name) || name.length > 256)
      throw new TailraceError(
        'invalid_params',
        `"${name.slice(0, 256)}" can't be a config var's name: use letters, digits and underscores, and no digit first.`,
      );
    if (value.includes('\0'))
      throw new TailraceError('invalid_params', `The value of ${name} has a NUL byte in it; remove it.`);
    next.set(name, value);
  }
  const entries = [...next].sort(([a], [b]) => (a < b ? -1 : 1));
  const byteCount = entries.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  if (byteCount > CONFIG_BYTES_MAX)
    throw new TailraceError(
      'invalid_params',
      `Config vars may be ${CONFIG_BYTES_MAX / 1_024} KB in all; these would be ${Math.ceil(byteCount / 1_024)} KB.`,
    );
  return Object.fromEntries(entries);
}

/** `Set A, B config vars`, `Remove A config vars`: names only. */
export function describeConfigChange(change: ConfigChange): string {
  const set = Object.keys(change).filter((name) => change[name] !== null);
  const removed = Object.keys(change).filter((name) => change[name] === null);
  const parts = [];
  if (set.length > 0) parts.push(`Set ${set.join(', ')}`);
  if (removed.length > 0) parts.push(`${parts.length > 0 ? 'remove' : 'Remove'} ${removed.join(', ')}`);
  return `${parts.join(' and ')} config vars`;
}

/** Does it change anything? */
export function isConfigChanged(config: Config, change: ConfigChange): boolean {
  return Object.entries(change).some(([name, value]) => (ownValue(config, name) ?? null) !== value);
}
