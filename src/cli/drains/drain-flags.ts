/** What can be asked of a drain, as flags of `drains:add` and `drains:update`. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { readFileArgument } from '../file-argument.ts';
import { collectValues } from '../repeated-option.ts';

export interface DrainFlags {
  format?: string;
  framing?: string;
  multiline?: string;
  gzip?: boolean;
  insecure?: boolean;
  ca?: string;
  cert?: string;
  key?: string;
  serverName?: string;
  header?: string[];
  index?: string;
  source?: string[];
  dyno?: string[];
  level?: string;
  match?: string[];
  exclude?: string[];
  sample?: string;
  redact?: string[];
  redactPattern?: string[];
}

/** Adds the flags to a command. */
export function addDrainFlags(command: Command): Command {
  return command
    .option(
      '--format <name>',
      'https: logplex, rfc5424, json, webhook, otlp, otlp-protobuf, loki, elasticsearch; syslog: syslog, rfc5424, json',
    )
    .option('--framing <name>', 'how syslog frames are told apart: octet (by their length) or newline')
    .option('--multiline <mode>', 'https messages of several lines: split (a message a line) or keep')
    .option('--gzip', 'compress requests')
    .option(
      '--header <header>',
      'send "Name: value" with every request; @FILE: those of a file',
      collectValues,
    )
    .option('--index <name>', 'index or data stream of Elasticsearch')
    .option('--ca <file>', 'PEM file of the authority that signed the certificate of the destination')
    .option('--cert <file>', 'PEM file of a certificate to show to the destination')
    .option('--key <file>', 'PEM file of its private key')
    .option('--server-name <name>', 'name to ask for, and to find in the certificate')
    .option('--insecure', 'do not check the certificate of the destination')
    .option('--source <name>', 'only lines of this source', collectValues)
    .option('--dyno <name>', 'only lines of this dyno or process type', collectValues)
    .option('--level <name>', 'only lines that are at least as serious: error, warn, info, debug')
    .option('--match <regex>', 'only lines whose message matches (RE2)', collectValues)
    .option('--exclude <regex>', 'no lines whose message matches (RE2)', collectValues)
    .option('--sample <part>', 'only a part of the lines, such as 10%')
    .option(
      '--redact <rule>',
      'take out of messages: bearer, url-password, card, email, or all',
      collectValues,
    )
    .option('--redact-pattern <regex>', 'take out of messages what matches (RE2)', collectValues);
}

/** The flags as the API takes them; it checks them. */
export function drainOptionsFromFlags(flags: DrainFlags): Record<string, unknown> {
  return {
    format: flags.format,
    framing: flags.framing,
    multiline: flags.multiline,
    compression: flags.gzip ? 'gzip' : undefined,
    insecure: flags.insecure,
    ca: readPem(flags.ca),
    cert: readPem(flags.cert),
    key: readPem(flags.key),
    server_name: flags.serverName,
    headers: flags.header && Object.fromEntries(flags.header.flatMap(readHeaders)),
    index: flags.index,
    sources: flags.source,
    dynos: flags.dyno,
    level: flags.level,
    match: flags.match,
    exclude: flags.exclude,
    sample: flags.sample,
    redact: flags.redact,
    redact_patterns: flags.redactPattern,
  };
}

function readPem(file: string | undefined): string | undefined {
  return file === undefined ? undefined : readText(file, 'an existing PEM file');
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TailraceError('not_found', `${file} can't be read (${systemCode(error)}): name ${what}.`);
  }
}

/** `Name: value`, or `@FILE`: a header a line, as curl reads them. */
function readHeaders(text: string): [string, string][] {
  if (!text.startsWith('@')) return [parseHeader(text)];
  const lines = readText(text.slice(1), 'a file with a header a line').split(/\r?\n/);
  return lines.filter((line) => line.trim() !== '').map(parseHeader);
}

/** A drain's URL, which may hold a password: `-` for one on standard input. */
export async function readDrainUrl(argument: string): Promise<string> {
  return argument === '-' ? (await readFileArgument(argument, 'a URL')).toString().trim() : argument;
}

function parseHeader(text: string): [string, string] {
  const colon = text.indexOf(':');
  if (colon > 0) return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
  throw new TailraceError(
    'invalid_params',
    `"${text}" is no header: write --header "Name: value", or --header @FILE.`,
  );
}
