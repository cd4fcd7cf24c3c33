/** Reads the texts of settings: one function a kind, which throws a TailraceError `settings` with what the text must be. */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { TailraceError } from '../errors.ts';
import { parseNetworks } from '../http/trusted-proxies.ts';
import { DURATION_FORMS, explainDuration, parseDuration } from '../time-expression.ts';
import { TIMER_MS_MAX } from '../wait-with-timeout.ts';

/** `KiB` and its like are the same as `KB` here. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1_024,
  M: 1_048_576,
  G: 1_073_741_824,
};

/** What is smaller needs a unit. */
const UNITLESS_BYTES_MIN = 65_536;

/** By kind. `text` is '' where nothing is set and there is no default. */
export const SETTING_READERS = {
  text: (_variable: string, text: string): string => text,
  /** An absolute path. */
  folder: (_variable: string, text: string): string => resolve(text),
  /** Several, with colons between them. */
  paths: (_variable: string, text: string): readonly string[] => text.split(':').filter(Boolean),
  choice: readChoice,
  flag: readFlag,
  /** An address or a name to listen on, IPv6 without brackets; '' when unset. */
  host: readHost,
  port: readPort,
  count: (variable: string, text: string): number => readCount(variable, text),
  /** undefined when unset. */
  'count-or-unset': (variable: string, text: string): number | undefined =>
    text === '' ? undefined : readCount(variable, text),
  'count-or-zero': (variable: string, text: string): number =>
    text === '0' ? 0 : readCount(variable, text, 'a number, or 0'),
  bytes: readByteCount,
  /** `https://host`, without a slash at its end; '' when unset. */
  url: readUrl,
  /** `https://domain`, without a slash at its end; '' when unset. */
  'apps-domain': readAppsDomain,
  /** Networks; undefined when unset. */
  networks: readNetworks,
  /** Origins as browsers write them, or `*`; none when unset. */
  origins: readOrigins,
  /** Names of domains; none when unset. */
  domains: readDomains,
  /** Milliseconds. */
  duration: readDurationMs,
  /** Milliseconds that a timer takes. */
  interval: readIntervalMs,
  /** The same; undefined for `none`. */
  'interval-or-none': (variable: string, text: string): number | undefined =>
    text.toLowerCase() === 'none' ? undefined : readIntervalMs(variable, text),
  /** Bytes a second; undefined when unset: no limit. */
  'byte-rate': (variable: string, text: string): number | undefined =>
    text === '' ? undefined : readByteCount(variable, text),
  /** Lines a second; undefined when unset: no limit. */
  'line-rate': (variable: string, text: string): number | undefined =>
    text === '' ? undefined : readCount(variable, text),
  /** Bytes; undefined for `none`: no limit. */
  quota: (variable: string, text: string): number | undefined =>
    text.toLowerCase() === 'none' ? undefined : readByteCount(variable, text),
} as const;

/**
 * Reads a value that is given on the command line as a setting of its kind is.
 * @param name how it is called there: `--age`
 * @throws TailraceError `bad_request` with what it must be
 */
export function readOption<Kind extends 'count' | 'bytes' | 'duration'>(
  kind: Kind,
  name: string,
  text: string,
): number {
  try {
    return SETTING_READERS[kind](name, text);
  } catch (error) {
    throw error instanceof TailraceError ? new TailraceError('bad_request', error.message) : error;
  }
}

/** How a setting's text is read. */
export type SettingKind = keyof typeof SETTING_READERS;

function rejectSetting(variable: string, text: string, expected: string): never {
  throw new TailraceError('settings', `${variable} is "${text}": it must be ${expected}.`);
}

function readHost(variable: string, text: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1');
  if (host === '' || isIP(host) !== 0 || /^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$/i.test(host)) return host;
  return rejectSetting(variable, text, 'an address of this machine, such as 0.0.0.0 or ::1, without a port');
}

function readPort(variable: string, text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65_535) rejectSetting(variable, text, 'a port from 0 to 65535');
  return number;
}

function readCount(variable: string, text: string, expected = 'a number above 0'): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) rejectSetting(variable, text, expected);
  return Number(text);
}

function readByteCount(variable: string, text: string): number {
  const match = /^(\d{1,12})\s*(?:B|([KMG])i?B)?$/i.exec(text);
  const number = match ? Number(match[1]) * BYTE_UNITS[(match[2] ?? '').toUpperCase()] : 0;
  if (number <= 0) rejectSetting(variable, text, 'a number of bytes, such as 512MB');
  // Who writes 512 means megabytes, as a rule.
  if (/^\d+$/.test(text) && number < UNITLESS_BYTES_MIN)
    rejectSetting(variable, text, `a number with its unit, such as 512MB (${text}B, if bytes are meant)`);
  return number;
}

function readDurationMs(variable: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new TailraceError('settings', `${variable}: ${explainDuration(text)}`);
  return ms > 0 ? ms : rejectSetting(variable, text, `above 0, such as ${DURATION_FORMS}`);
}

function readIntervalMs(variable: string, text: string): number {
  const ms = readDurationMs(variable, text);
  return ms <= TIMER_MS_MAX ? ms : rejectSetting(variable, text, 'at most 24d');
}

function readUrl(variable: string, text: string): string {
  if (text === '') return '';
  const url = URL.canParse(text) && /^https?:/i.test(text) ? new URL(text) : undefined;
  if (url?.pathname !== '/' || url.search || url.hash || url.username)
    return rejectSetting(variable, text, 'an address such as https://logs.example.com, without a path');
  return url.origin;
}

/** What a domain may have, so that an app's name fits in front of it (RFC 1035 section 2.3.4). */
const DOMAIN_LENGTH_MAX = 220;

/** A name, not an address: apps are told apart by what stands in front of it. */
function isDomain(host: string): boolean {
  const labels = host.split('.');
  const isLabel = (text: string): boolean =>
    /^[a-z0-9-]{1,63}$/.test(text) && !text.startsWith('-') && !text.endsWith('-');
  return host.length <= DOMAIN_LENGTH_MAX && labels.every(isLabel) && !/^\d+$/.test(labels.at(-1) ?? '');
}

function readAppsDomain(variable: string, text: string): string {
  if (text === '') return '';
  const expected =
    'a domain such as apps.example.com (apps are at https://<app>.apps.example.com), or http://apps.example.com:8080 for another scheme or port; without *., and without a path';
  const address = text.includes('://') ? text : `https://${text}`;
  const url = URL.canParse(address) && /^https?:/i.test(address) ? new URL(address) : undefined;
  if (url?.pathname !== '/' || url.search || url.hash || url.username || !isDomain(url.hostname))
    return rejectSetting(variable, text, expected);
  return url.origin;
}

function readDomains(variable: string, text: string): readonly string[] {
  const domains = text.split(',').flatMap((one) => one.trim().toLowerCase() || []);
  if (!domains.every(isDomain))
    rejectSetting(
      variable,
      text,
      'domains such as example.com, with commas between them; without @, without *.',
    );
  return domains;
}

function readOrigins(variable: string, text: string): readonly string[] {
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((word) => {
      if (word === '*') return word;
      const url = URL.canParse(word) ? new URL(word) : undefined;
      const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href;
      return isOrigin
        ? url.origin
        : rejectSetting(
            variable,
            text,
            'origins such as https://shop.example.com, with commas between them, or *',
          );
    });
}

function readNetworks(variable: string, text: string): readonly string[] | undefined {
  return text === '' ? undefined : requireNetworks(variable, text);
}

/**
 * The networks that a setting names, see `parseNetworks`.
 * @param otherWords what else it may say, for the error: `yes, no, or `
 */
export function requireNetworks(variable: string, text: string, otherWords = ''): readonly string[] {
  const expected = `${otherWords}addresses or networks such as 10.1.2.3, 10.1.0.0/16 or fd00::/8, with commas between them, or one of loopback, private, none`;
  return parseNetworks(text) ?? rejectSetting(variable, text, expected);
}

function readFlag(variable: string, text: string): boolean {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off'].includes(text.toLowerCase())) return false;
  return rejectSetting(variable, text, 'yes or no');
}

function readChoice(variable: string, text: string, choices: readonly string[]): string {
  return choices.includes(text) ? text : rejectSetting(variable, text, `one of ${choices.join(', ')}`);
}
