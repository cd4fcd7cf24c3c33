import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { ownValue } from '../../common/own-value.ts';
import { shellValue } from '../../common/text/shell-quote.ts';
import { addClientOptions, resolveEndpoint, resolveLastingEndpoint } from '../api-client.ts';
import { readFileArgument } from '../file-argument.ts';
import { printResult, printValues } from '../format.ts';
import { parseConfigFile } from './config-file.ts';

interface Options {
  readonly app?: string;
  readonly json?: boolean;
}
type Vars = Record<string, string>;

/** `tailrace config`, `config:get`, `config:set A=1 B=2`, `config:unset A` */
export function configCommands(program: Command): void {
  addClientOptions(program.command('config').description("show an app's config vars"))
    .option('-s, --shell', 'as A=1 lines for a shell')
    .action(async (options: Options & { shell?: boolean }) => {
      const { app, client, path } = await resolveEndpoint(options, '/config-vars');
      const vars = await client.request<Vars>('GET', path);
      const lines = Object.entries(vars).map(([name, value]) =>
        options.shell ? `${name}=${shellValue(value)}` : `${name}: ${value}`,
      );
      if (options.shell) printValues(options.json, vars, () => lines.join('\n'));
      else printResult(options.json, vars, () => [`=== ${app} Config Vars`, '', ...lines].join('\n'));
    });
  addClientOptions(program.command('config:get <names...>').description('print the values of config vars'))
    .option('-s, --shell', 'as A=1 lines for a shell')
    .action(async (names: string[], options: Options & { shell?: boolean }) => {
      const { app, client, path } = await resolveEndpoint(options, '/config-vars');
      const vars = await client.request<Vars>('GET', path);
      for (const name of names)
        if (!Object.hasOwn(vars, name))
          throw new TailraceError('not_found', `${app} has no config var ${name}.`);
      printValues(options.json, Object.fromEntries(names.map((name) => [name, vars[name]])), () =>
        names.map((name) => (options.shell ? `${name}=${shellValue(vars[name])}` : vars[name])).join('\n'),
      );
    });
  addClientOptions(
    program
      .command('config:set [vars...]')
      .alias('config:add')
      .description('set config vars, several at once: A=1 B=2; the app restarts')
      .option('--file <file>', 'those of a file as .env is written; - for standard input'),
  ).action(async (given: string[], options: Options & { file?: string }) => {
    const { file } = options;
    const change = {
      ...(file === undefined ? {} : parseConfigFile(await readFileArgument(file, 'a file of config vars'))),
      ...Object.fromEntries(given.map(parseAssignment)),
    };
    if (Object.keys(change).length === 0)
      throw new TailraceError(
        'invalid_params',
        file === undefined
          ? 'What should be set? Write NAME=value, or --file FILE.'
          : `${file === '-' ? 'Standard input' : file} has no config var: write a line NAME=value.`,
      );
    await changeVars(options, change, 'Setting');
  });
  addClientOptions(
    program
      .command('config:unset <names...>')
      .alias('config:remove')
      .description('take config vars away; the app restarts'),
  ).action(async (names: string[], options: Options) => {
    await changeVars(options, Object.fromEntries(names.map((name) => [name, null])), 'Unsetting');
  });
}

async function changeVars(
  options: Options,
  change: Record<string, string | null>,
  verb: string,
): Promise<void> {
  const { app, client, path } = await resolveLastingEndpoint(options);
  const before = await client.request<Vars>('GET', `${path}/config-vars`);
  const vars = await client.request<Vars>('PATCH', `${path}/config-vars`, change);
  const releases = await client.request<{ version: number }[]>('GET', `${path}/releases`);
  const version = Math.max(...releases.map((release) => release.version));
  const names = Object.keys(change).join(', ');
  const set = Object.entries(vars).filter(([name]) => Object.hasOwn(change, name));
  // The server makes no release then.
  const isSame = Object.entries(change).every(([name, value]) => (ownValue(before, name) ?? null) === value);
  printResult(options.json, vars, () =>
    [
      isSame
        ? `${describeUnchanged(app, Object.keys(change), set.length > 0)}: nothing changes, ${app} stays at v${version}`
        : `${verb} ${names} and restarting ${app}... done, v${version}`,
      ...set.map(([name, value]) => `${name}: ${value}`),
    ].join('\n'),
  );
}

function describeUnchanged(app: string, names: readonly string[], isSetting: boolean): string {
  const all = names.join(', ');
  if (!isSetting) return names.length === 1 ? `${app} has no config var ${all}` : `${app} has none of ${all}`;
  return names.length === 1 ? `${all} has this value already` : `${all} have these values already`;
}

function parseAssignment(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1)
    throw new TailraceError(
      'invalid_params',
      `"${text}" sets nothing: write NAME=value, or take it away with config:unset.`,
    );
  if (text.includes('\uFFFD') && !isTypedInUtf8())
    throw new TailraceError(
      'invalid_params',
      `What follows ${text.slice(0, at)}= isn't UTF-8, and would be something else: config vars are text, so encode it, with base64 say.`,
    );
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Node.js takes bytes that are none for replacement characters. True where that can't be known. */
function isTypedInUtf8(): boolean {
  try {
    return isUtf8(readFileSync('/proc/self/cmdline'));
  } catch {
    return true;
  }
}
