/** The files that `tailrace start` reads: Procfile, `.env`, and foreman's own options. */

import { existsSync, readFileSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { decodeEnvFile, parseEnvFile } from '../../apps/processes/config/env-file.ts';
import { type ProcfileEntry, parseProcfile } from '../../apps/processes/config/procfile.ts';
import { TailraceError } from '../../common/errors.ts';
import { ownValue } from '../../common/own-value.ts';

/** What a `.foreman` file may say, as `start` knows it. */
export interface ForemanOptions {
  readonly procfile?: string;
  readonly root?: string;
  readonly env?: string;
  readonly formation?: string;
  readonly port?: string;
}

/** Foreman's names, some of older versions. */
const FOREMAN_NAMES: Readonly<Record<string, keyof ForemanOptions>> = {
  procfile: 'procfile',
  root: 'root',
  app_root: 'root',
  env: 'env',
  formation: 'formation',
  concurrency: 'formation',
  port: 'port',
};
/** Foreman knows them, and they say nothing here. */
const OTHER_NAMES = ['timeout', 'color', 'template', 'user', 'run', 'log'];

/** @throws TailraceError `not_found` with what to write */
export function loadProcfile(file: string): ProcfileEntry[] {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile())
    throw new TailraceError(
      'not_found',
      `${stats === undefined ? `There is no ${basename(file)} in ${dirname(file)}` : `${file} is no file`}: write one with a line for each process type, such as "web: node server.js", or name another with -f.`,
    );
  return parseProcfile(readFileSync(file, 'utf8'));
}

/**
 * The variables of one or several files; the last one that has a name counts. A file may be a FIFO or a descriptor (`<(command)`), as
 * those that keep secrets make them: it is read to its end.
 * @param given as `-e` has them, each with commas between several; none: `.env` in `folder`, if there is one
 */
export function loadEnvFiles(folder: string, given: readonly string[] | undefined): Record<string, string> {
  if (given === undefined) {
    const file = join(folder, '.env');
    return isReadable(statSync(file, { throwIfNoEntry: false })) ? readEnv(file) : {};
  }
  const files = given.flatMap(splitFiles);
  return Object.assign({}, ...files.map((file) => readEnv(file)));
}

/** A name with a comma in it is one name when there is such a file. */
function splitFiles(given: string): string[] {
  if (existsSync(given)) return [given];
  return given
    .split(',')
    .map((file) => file.trim())
    .filter((file) => file !== '');
}

function readEnv(file: string): Record<string, string> {
  const stats = statSync(resolve(file), { throwIfNoEntry: false });
  if (!isReadable(stats))
    throw new TailraceError(
      'not_found',
      stats === undefined
        ? `There is no ${file}: name an existing file with -e.`
        : `${file} is no file: name a file with lines such as KEY=value with -e.`,
    );
  return parseEnvFile(decodeEnvFile(readFileSync(resolve(file))));
}

function isReadable(stats: Stats | undefined): boolean {
  return stats !== undefined && (stats.isFile() || stats.isFIFO() || stats.isCharacterDevice());
}

/**
 * Foreman's defaults for options, in `.foreman` where the command is started.
 * @throws TailraceError `invalid_params` for a line that says nothing
 */
export function loadForemanOptions(folder: string): ForemanOptions {
  const file = join(folder, '.foreman');
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return {};
  return parseForemanOptions(readFileSync(file, 'utf8'));
}

/** Of foreman's YAML what it is used for: names and values, one a line. */
export function parseForemanOptions(text: string): ForemanOptions {
  const options = new Map<keyof ForemanOptions, string>();
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line === '---') continue;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim();
    const known = ownValue(FOREMAN_NAMES, name);
    if (known !== undefined) options.set(known, unquote(line.slice(colon + 1).trim()));
    else if (!OTHER_NAMES.includes(name))
      throw new TailraceError(
        'invalid_params',
        `.foreman line ${i + 1}: write one of ${Object.keys(FOREMAN_NAMES).join(', ')}, a colon, and a value.`,
      );
  }
  return Object.fromEntries(options);
}

function unquote(value: string): string {
  const quote = value[0];
  return (quote === '"' || quote === "'") && value.length > 1 && value.endsWith(quote)
    ? value.slice(1, -1)
    : value;
}

/** Those of the process types that were asked for. @throws TailraceError `not_found` with those that there are */
export function selectEntries(entries: ProcfileEntry[], types: readonly string[]): ProcfileEntry[] {
  if (types.length === 0) return entries;
  const known = entries.map(({ type }) => type);
  for (const type of types)
    if (!known.includes(type))
      throw new TailraceError(
        'not_found',
        `The Procfile has no process type "${type}"; it has: ${known.join(', ')}.`,
      );
  return entries.filter(({ type }) => types.includes(type));
}
