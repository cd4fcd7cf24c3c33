/** Reads the settings: environment variables, as `settings-table.ts` lists them. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TailraceError } from '../errors.ts';
import { SETTING_READERS } from './setting-readers.ts';
import { SETTINGS, type SettingRow } from './settings-table.ts';

/** Variables that clients read. */
const CLIENT_VARIABLES = ['TAILRACE_URL', 'TAILRACE_API_KEY', 'TAILRACE_APP', 'TAILRACE_TOKEN'];

type SettingValue<Row extends SettingRow> = Row extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : ReturnType<(typeof SETTING_READERS)[Row['kind']]>;

/** The value of each row of the table. */
export type Settings = SettingValues<typeof SETTINGS>;

/** Texts of what depends on how tailrace is started. */
export interface SettingDefaults {
  readonly data: string;
  readonly allowPrivateDrains: 'yes' | 'no';
  readonly dynoMemory: string;
  readonly dynoHandoverMs?: string;
}

/** Variables by their names: `process.env`. */
export type SettingTexts = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings.
 * @throws TailraceError `settings` for a value that can't be read, or a `TAILRACE_…` name that doesn't exist.
 */
export function readSettings(environment: SettingTexts, defaults: SettingDefaults): Settings {
  rejectUnknownVariables(environment, 'TAILRACE_', SETTINGS, CLIENT_VARIABLES);
  return readSettingRows(SETTINGS, environment, { ...defaults });
}

/** The values of a table of settings, by its rows' names. */
export type SettingValues<Table extends Readonly<Record<string, SettingRow>>> = {
  readonly [name in keyof Table]: SettingValue<Table[name]>;
};

/**
 * Reads the rows of a table.
 * @param defaults texts by the rows' names, of what depends on how a program is started
 * @param nameOf what a variable's setting is called where it was given, for errors: its flag, say
 * @throws TailraceError `settings` for a value that can't be read
 */
export function readSettingRows<Table extends Readonly<Record<string, SettingRow>>>(
  table: Table,
  environment: SettingTexts,
  defaults: Readonly<Record<string, string>> = {},
  nameOf: (variable: string) => string = (variable) => variable,
): SettingValues<Table> {
  const values = Object.entries<SettingRow>(table).map(
    ([name, { variable, kind, choices = [], fallback }]) => {
      const text = environment[variable] || defaults[name] || fallback;
      return [name, SETTING_READERS[kind](nameOf(variable), text, choices)];
    },
  );
  // The types of the values are those of the readers, which the compiler can't follow through a list.
  return Object.fromEntries(values) as SettingValues<Table>;
}

/**
 * Where a program keeps its data unless told otherwise (XDG Base Directory Specification).
 * @param name the program's; without one it is the server's folder, where clients look for it
 */
export function defaultDataFolder(environment: SettingTexts, name = 'tailrace'): string {
  return join(environment.XDG_DATA_HOME || join(homedir(), '.local', 'share'), name);
}

/** The flag of a program's variable: `--http-port` of `VIEWER_HTTP_PORT` for the prefix `VIEWER_`. */
export function settingFlag(variable: string, prefix: string): string {
  return `--${variable.replace(prefix, '').toLowerCase().replaceAll('_', '-')}`;
}

/**
 * A misspelled setting would be left out without a word.
 * @param others variables with the prefix that are no settings
 * @throws TailraceError `settings`
 */
export function rejectUnknownVariables(
  environment: SettingTexts,
  prefix: string,
  table: Readonly<Record<string, SettingRow>>,
  others: readonly string[] = [],
): void {
  const known = [...Object.values(table).map((row) => row.variable), ...others];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    // `TAILRACE_PORT` is a setting with all of its words rather than one that looks like it.
    const words = name.split('_');
    const fuller = known.filter((one) => words.every((word) => one.split('_').includes(word)));
    const nearest = (fuller.length > 0 ? fuller : known).reduce((best, one) =>
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
