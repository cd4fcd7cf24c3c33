/** Reads the settings, as the server reads its own. A flag takes precedence over its environment variable, that one over the default. */

import { parseArgs } from 'node:util';
import {
  defaultDataFolder,
  readSettingRows,
  rejectUnknownVariables,
  type SettingTexts,
  type SettingValues,
} from '../../../src/common/config/settings.ts';
import { TailraceError } from '../../../src/common/errors.ts';
import { DURATION_FORMS, parseDuration } from '../../../src/common/time-expression.ts';
import type { MaxAge } from '../storage/rotation.ts';
import type { Credentials } from './basic-auth.ts';
import { ARCHIVE_SETTINGS, archiveFlag, SECRET_VARIABLE } from './settings-table.ts';

/** The table's values, and what is made of several of them. */
export interface Settings
  extends Omit<
    SettingValues<typeof ARCHIVE_SETTINGS>,
    'maxAge' | 'tlsCert' | 'tlsKey' | 'user' | 'password'
  > {
  readonly maxAge: MaxAge;
  /** Undefined: HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Undefined: everybody may write. */
  readonly credentials: Credentials | undefined;
}

/**
 * Reads flags and environment; undefined for `--help`.
 * @throws TailraceError `settings` with a sentence for who starts the archive
 */
export function readArchiveSettings(args: string[], environment: SettingTexts): Settings | undefined {
  // A misspelled ARCHIVE_PASSWORD would leave the archive open to everybody, without a word.
  rejectUnknownVariables(environment, 'ARCHIVE_', ARCHIVE_SETTINGS);
  const flags = readFlags(args);
  if (flags === undefined) return undefined;
  const texts = { ...environment, ...flags };
  const nameOf = (variable: string): string => (variable in flags ? archiveFlag(variable) : variable);
  const { maxAge, tlsCert, tlsKey, user, password, ...values } = readSettingRows(
    ARCHIVE_SETTINGS,
    texts,
    { port: environment.PORT ?? '', dir: defaultDataFolder(environment, 'tailrace-archive') },
    nameOf,
  );
  const isTls = areBothGiven('--tls-cert', tlsCert, '--tls-key', tlsKey);
  const hasCredentials = areBothGiven('--user', user, SECRET_VARIABLE, password);
  return {
    ...values,
    maxAge: readMaxAge(nameOf(ARCHIVE_SETTINGS.maxAge.variable), maxAge),
    tls: isTls ? { certFile: tlsCert, keyFile: tlsKey } : undefined,
    credentials: hasCredentials ? { user, password } : undefined,
  };
}

/** Texts by the names of variables; undefined for `--help`. */
function readFlags(args: string[]): SettingTexts | undefined {
  const variables = Object.values(ARCHIVE_SETTINGS).map(({ variable }) => variable);
  const names = variables
    .filter((variable) => variable !== SECRET_VARIABLE)
    .map((variable) => [archiveFlag(variable).slice(2), variable] as const);
  const secret = archiveFlag(SECRET_VARIABLE);
  if (args.some((arg) => arg === secret || arg.startsWith(`${secret}=`)))
    throw new TailraceError(
      'settings',
      `The password is read from ${SECRET_VARIABLE} only: arguments are visible to every user of the machine.`,
    );
  // `--raw` alone means yes, like any boolean flag.
  const normal = args.map((arg) => (arg === '--raw' ? '--raw=yes' : arg));
  try {
    const { values } = parseArgs({
      args: normal,
      options: {
        help: { type: 'boolean', short: 'h' },
        ...Object.fromEntries(names.map(([name]) => [name, { type: 'string' as const }])),
      },
    });
    if (values.help === true) return undefined;
    const texts: Readonly<Record<string, unknown>> = values;
    return Object.fromEntries(
      names.flatMap(([name, variable]) => (typeof texts[name] === 'string' ? [[variable, texts[name]]] : [])),
    );
  } catch (error) {
    const sentence = error instanceof Error ? error.message.split(/\.\s/)[0] : String(error);
    throw new TailraceError('settings', `${sentence}; --help lists the settings.`);
  }
}

function readMaxAge(name: string, text: string): MaxAge {
  if (text === 'day') return text;
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0)
    throw new TailraceError(
      'settings',
      `${name} is "${text}": it must be "day", or a time such as ${DURATION_FORMS}.`,
    );
  return ms;
}

/** Are both set, which need each other, or neither? */
function areBothGiven(nameA: string, a: string, nameB: string, b: string): boolean {
  if ((a === '') !== (b === ''))
    throw new TailraceError(
      'settings',
      `${a === '' ? nameB : nameA} is set but ${a === '' ? nameA : nameB} is not; they need each other.`,
    );
  return a !== '';
}
