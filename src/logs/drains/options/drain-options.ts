/** A drain's options beside its URL, and their validation when it is added or changed. */

import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { RE2JS } from 're2js';
import { TailraceError } from '../../../common/errors.ts';
import { scalarNumber, scalarText } from '../../../common/json-object.ts';
import { PATTERN_SIZE_MAX, PATTERNS_SIZE_MAX, patternSize } from '../../../common/limits/pattern-size.ts';
import { errorMessage } from '../../../common/text/error-message.ts';
import { LOG_LEVELS, type LogLevel, levelByName } from '../../syslog/level.ts';

/** Formats of lines. The first of each scheme is the default. */
const HTTP_FORMATS = [
  'logplex',
  'rfc5424',
  'json',
  'webhook',
  'otlp',
  'otlp-protobuf',
  'loki',
  'elasticsearch',
] as const;
const SYSLOG_FORMATS = ['syslog', 'rfc5424', 'json'] as const;
export type DrainFormatName = (typeof HTTP_FORMATS)[number] | (typeof SYSLOG_FORMATS)[number];

/** Built-in redaction rules. */
const REDACTION_RULES = ['bearer', 'url-password', 'card', 'email'] as const;
export type RedactionRule = (typeof REDACTION_RULES)[number];
/** The name of all of them. */
const ALL_RULES = 'all';

/** Plain JSON: a part of the drain's record. What is left out has its default. */
export interface DrainOptions {
  readonly format?: DrainFormatName;
  /** Framing of syslog: octet counting (RFC 6587 section 3.4.1) or newlines (3.4.2). */
  readonly framing?: 'octet' | 'newline';
  /** A message of several lines in `application/logplex-1`: a frame for each of them (the default), or one for all. */
  readonly multiline?: 'split' | 'keep';
  readonly compression?: 'gzip';
  /** The destination's certificate isn't verified; the same as `#insecure`. */
  readonly insecure?: boolean;
  /** PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly server_name?: string;
  /** Sent with every request. May hold credentials. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Index or data stream of Elasticsearch. */
  readonly index?: string;
  /** Only lines of these sources; of these dynos or process types; at least this severe. */
  readonly sources?: readonly string[];
  readonly dynos?: readonly string[];
  readonly level?: LogLevel;
  /** RE2 patterns: only lines that one of the first matches, and none of the second. */
  readonly match?: readonly string[];
  readonly exclude?: readonly string[];
  /** Sampling: the part of the lines that is sent, above 0 and below 1. */
  readonly sample?: number;
  readonly redact?: readonly RedactionRule[];
  /** RE2 patterns of what else is redacted. */
  readonly redact_patterns?: readonly string[];
}

/** Query parameters of a drain's URL with this prefix are options, and aren't sent: `?tailrace-format=json`. */
const QUERY_PREFIX = 'tailrace-';
const PATTERN_MAX = 1_000;
const LIST_MAX = 50;
/** Of a list in one text. */
const LIST_LENGTH_MAX = 8_192;
const PEM_MAX = 65_536;

type Validator = (name: string, value: unknown) => unknown;

const VALIDATORS: Record<keyof DrainOptions, Validator> = {
  format: oneOf([...new Set([...HTTP_FORMATS, ...SYSLOG_FORMATS])]),
  framing: oneOf(['octet', 'newline']),
  multiline: oneOf(['split', 'keep']),
  compression: oneOf(['gzip']),
  insecure: (name, value) =>
    typeof value === 'boolean'
      ? value
      : oneOf(['yes', 'no', 'true', 'false'])(name, value) === 'yes' || value === 'true',
  ca: pem,
  cert: pem,
  key: pem,
  server_name: text(/^[A-Za-z0-9._-]{1,253}$/, 'a host name'),
  headers,
  index: text(
    /^[a-z0-9][a-z0-9._-]{0,199}$/,
    'the name of an index: lowercase letters, digits, dots and dashes',
  ),
  sources: list(text(/^[A-Za-z0-9._-]{1,48}$/, 'the name of a source, such as app')),
  dynos: list(text(/^[^\s]{1,128}$/, 'a dyno or a process type, such as web.1 or web')),
  level: (name, value) => oneOf(LOG_LEVELS)(name, levelByName(scalarText(value) ?? '') ?? value),
  match: list(pattern),
  exclude: list(pattern),
  sample,
  redact: (name, value) => {
    const rules = list(oneOf([...REDACTION_RULES, ALL_RULES]))(name, value);
    return Array.isArray(rules) && rules.includes(ALL_RULES) ? REDACTION_RULES : rules;
  },
  redact_patterns: list(pattern),
};

/**
 * Parses the options of a drain that is added: those of its URL's query, and those given beside it.
 * @throws TailraceError `invalid_params` for one that doesn't exist or isn't valid, naming the valid ones.
 */
export function parseDrainOptions(url: URL, given: unknown): DrainOptions {
  return validateOptions(url, { ...optionsFromQuery(url), ...asObject(given) });
}

/**
 * Changes some options of a drain: `null` removes one, what isn't named stays. Those of a new URL's query count as given, too.
 * @throws TailraceError `invalid_params`, as {@link parseDrainOptions}
 */
export function mergeDrainOptions(
  before: DrainOptions,
  url: URL,
  isNewUrl: boolean,
  given: unknown,
): DrainOptions {
  return validateOptions(url, { ...before, ...(isNewUrl ? optionsFromQuery(url) : {}), ...asObject(given) });
}

function optionsFromQuery(url: URL): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null);
  for (const [name, value] of url.searchParams)
    if (name.startsWith(QUERY_PREFIX)) {
      const option = name.slice(QUERY_PREFIX.length).replaceAll('-', '_');
      // Several with one name are a list.
      values[option] = option in values ? [values[option], value].flat() : value;
    }
  return values;
}

function asObject(given: unknown): object {
  if (given === undefined || given === null) return {};
  if (typeof given === 'object' && !Array.isArray(given)) return given;
  throw invalidOption('The options of a drain are an object.');
}

function validateOptions(url: URL, values: Readonly<Record<string, unknown>>): DrainOptions {
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!isOptionName(name))
      throw invalidOption(
        `A drain has no option "${name}": there are ${Object.keys(VALIDATORS).join(', ')}.`,
      );
    if (value !== undefined && value !== null) options[name] = VALIDATORS[name](name, value);
  }
  return validateCombination(url, options);
}

/** The URL as it is requested: without the options in its query. */
export function stripOptionParameters(url: URL): URL {
  const parameters = url.search.slice(1).split('&');
  const kept = parameters.filter((parameter) => !isOptionParameter(parameter));
  if (kept.length === parameters.length) return url;
  // The others stay as they are written: an address may be signed.
  const rest = new URL(url);
  rest.search = kept.join('&');
  return rest;
}

function isOptionParameter(text: string): boolean {
  const [name] = new URLSearchParams(text).keys();
  return name?.startsWith(QUERY_PREFIX) ?? false;
}

/** Options as they may be printed: without keys and credentials. */
export function redactOptions(options: DrainOptions): Record<string, unknown> {
  const shown: Record<string, unknown> = { ...options };
  for (const name of ['key', 'cert', 'ca']) if (name in shown) shown[name] = '****';
  if (options.headers)
    shown.headers = Object.fromEntries(Object.keys(options.headers).map((name) => [name, '****']));
  return shown;
}

function isOptionName(name: string): name is keyof DrainOptions {
  return Object.hasOwn(VALIDATORS, name);
}

/** Are the options valid for the scheme, and together? */
function validateCombination(url: URL, options: DrainOptions): DrainOptions {
  const syslog = url.protocol.startsWith('syslog');
  const formats: readonly string[] = syslog ? SYSLOG_FORMATS : HTTP_FORMATS;
  const { format, framing, multiline, compression, headers: sent, index, cert, key, ca } = options;
  if (format && !formats.includes(format))
    throw invalidOption(
      `A drain to ${url.protocol}// can't have the format ${format}: use ${formats.join(', ')}.`,
    );
  if (framing && !syslog) throw invalidOption('framing is for syslog:// and syslog+tls:// drains only.');
  if (multiline && (syslog || (format && format !== 'logplex' && format !== 'rfc5424')))
    throw invalidOption(
      'multiline is for http:// and https:// drains with the format logplex or rfc5424 only.',
    );
  if (compression && syslog) throw invalidOption('compression is for http:// and https:// drains only.');
  if (sent && syslog) throw invalidOption('headers are for http:// and https:// drains only.');
  if (index && format !== 'elasticsearch') throw invalidOption('index is for the format elasticsearch only.');
  if (Boolean(cert) !== Boolean(key)) throw invalidOption('A client certificate needs both: cert and key.');
  if ((cert || ca) && !url.protocol.endsWith('tls:') && url.protocol !== 'https:')
    throw invalidOption('Certificates are for https:// and syslog+tls:// drains only.');
  try {
    if (ca) new X509Certificate(ca); // a secure context accepts any text as `ca`
    createSecureContext({ ca, cert, key });
  } catch (error) {
    throw invalidOption(
      `The certificates can't be read as PEM (${error instanceof Error ? error.message : error}).`,
    );
  }
  return options;
}

function invalidOption(sentence: string): TailraceError {
  return new TailraceError('invalid_params', sentence);
}

function oneOf(choices: readonly string[]): Validator {
  return (name, value) => {
    if (typeof value === 'string' && choices.includes(value)) return value;
    throw invalidOption(`${name} is one of ${choices.join(', ')}, not ${JSON.stringify(value)}.`);
  };
}

function text(shape: RegExp, meaning: string): Validator {
  return (name, value) => {
    if (typeof value === 'string' && shape.test(value)) return value;
    throw invalidOption(`${name} is ${meaning}, not ${JSON.stringify(value)}.`);
  };
}

/** A list; a single text counts as a list of one, and in a query several are separated by commas. */
function list(validate: Validator): Validator {
  return (name, value) => {
    const values = Array.isArray(value) ? value : [value];
    if (values.some((one) => typeof one === 'string' && one.length > LIST_LENGTH_MAX))
      throw invalidOption(`${name} has an entry of more than ${LIST_LENGTH_MAX} characters.`);
    const split =
      validate === pattern
        ? values
        : values.flatMap((one) => (typeof one === 'string' ? one.split(',') : one));
    if (split.length > LIST_MAX) throw invalidOption(`${name} has more than ${LIST_MAX} entries.`);
    const all = split.map((one) => validate(name, one));
    if (
      validate === pattern &&
      all.reduce((sum: number, one) => sum + patternSize(String(one)), 0) > PATTERNS_SIZE_MAX
    )
      throw invalidOption(
        `${name} are too many patterns, or too long ones: ${PATTERNS_SIZE_MAX} characters in all, at the most.`,
      );
    return all;
  };
}

/** A pattern of RE2: no look-around and no back-references, so that it takes linear time. */
function pattern(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalidOption(`${name} is a regular expression.`);
  if (value.length > PATTERN_MAX) throw invalidOption(`${name} is longer than ${PATTERN_MAX} characters.`);
  if (patternSize(value) > PATTERN_SIZE_MAX)
    throw invalidOption(
      `${name}: "${value}" repeats too much: ${PATTERN_SIZE_MAX} characters in all, at the most.`,
    );
  try {
    RE2JS.compile(value);
    return value;
  } catch (error) {
    const why = errorMessage(error);
    throw invalidOption(`${name}: "${value}" is no regular expression of RE2 (${why}).`);
  }
}

function sample(name: string, value: unknown): number {
  const part =
    typeof value === 'string' && value.endsWith('%') ? Number(value.slice(0, -1)) / 100 : scalarNumber(value);
  if (part > 0 && part < 1) return part;
  throw invalidOption(
    `${name} is the part of the lines to send, such as 10% or 0.1, not ${JSON.stringify(value)}.`,
  );
}

function pem(name: string, value: unknown): string {
  if (typeof value === 'string' && value.length <= PEM_MAX && value.includes('-----BEGIN ')) return value;
  throw invalidOption(`${name} is the text of a PEM file (-----BEGIN …).`);
}

function headers(name: string, value: unknown): Record<string, string> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const fits = entries.every(
    ([key, one]) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(key) && typeof one === 'string' && /^[\x20-\x7e]*$/.test(one),
  );
  const own = entries.find(([key]) => /^(content-|transfer-|connection$|host$|logplex-)/i.test(key));
  if (own) throw invalidOption(`${name}: ${own[0]} is set by tailrace itself.`);
  if (entries.length > 0 && entries.length <= LIST_MAX && fits) return Object.fromEntries(entries);
  throw invalidOption(`${name} are names and values, such as {"Authorization": "Bearer …"}.`);
}
