/** Reads the settings: environment variables, as `settings-table.ts` lists them. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TailraceError } from '../errors.ts';
import { SETTING_READERS } from './setting-readers.ts';
import { SETTINGS, type SettingRow } from './settings-table.ts';

/** Variables that clients read. */
const CLIENT_VARIABLES = ['TAILRACE_URL', 'TAILRACE_API_KEY', 'TAILRACE_APP', 'TAILRACE_TOKEN'];

type SettingName = keyof typeof SETTINGS;
type SettingValue<Row extends SettingRow> = Row extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : ReturnType<(typeof SETTING_READERS)[Row['kind']]>;

/** The value of each row of the table. */
export type Settings = { readonly [name in SettingName]: SettingValue<(typeof SETTINGS)[name]> };

/** Texts of what depends on how tailrace is started. */
export interface SettingDefaults {
  readonly data: string;
  readonly allowPrivateDrains: 'yes' | 'no';
  readonly dynoMemory: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings.
 * @throws TailraceError `settings` for a value that can't be read, or a `TAILRACE_…` name that doesn't exist.
 */
export function readSettings(environment: Environment, defaults: SettingDefaults): Settings {
  rejectUnknownVariables(environment);
  const defaultTexts: Readonly<Record<string, string>> = { ...defaults };
  const rows: [string, SettingRow][] = Object.entries(SETTINGS);
  const values = rows.map(([name, { variable, kind, choices = [], fallback }]) => {
    const text = environment[variable] || defaultTexts[name] || fallback;
    return [name, SETTING_READERS[kind](variable, text, choices)];
  });
  // The types of the values are those of the readers, which the compiler can't follow through a list.
  return Object.fromEntries(values) as Settings;
}

/** Where `serve` keeps its data, and where clients find it (XDG Base Directory Specification). */
export function defaultDataFolder(environment: Environment): string {
  const base = environment.XDG_DATA_HOME || join(homedir(), '.local', 'share');
  return join(base, 'tailrace');
}

function rejectUnknownVariables(environment: Environment): void {
  const known = [...Object.values(SETTINGS).map((row) => row.variable), ...CLIENT_VARIABLES];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('TAILRACE_') || known.includes(name)) continue;
    const nearest = known.reduce((best, one) =>
      editDistance(name, one) < editDistance(name, best) ? one : best,
    );
    throw new TailraceError('settings', `There is no setting ${name}: did you mean ${nearest}?`);
  }
}

/** How many characters have to be changed, inserted or deleted (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
