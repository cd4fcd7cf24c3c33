import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';

interface InstallationView {
  readonly ordinal: number;
  readonly buildpack: { readonly name: string; readonly url: string };
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
  /** As typed. */
  readonly index?: string;
}

const INDEX_HELP = 'the place in the list, from 1';

/** `tailrace buildpacks`, `buildpacks:add heroku/nodejs`, `buildpacks:set …`, `buildpacks:remove …`, `buildpacks:clear` */
export function buildpackCommands(program: Command): void {
  addClientOptions(program.command('buildpacks').description('list what builds an app')).action(
    async (options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/buildpack-installations');
      const installed = await client.request<InstallationView[]>('GET', path);
      printResult(options.json, installed, () =>
        installed.length === 0
          ? `${app} has no buildpacks: they are detected`
          : listed(installed.map(({ buildpack }) => buildpack.name)),
      );
    },
  );
  addClientOptions(
    program
      .command('buildpacks:add <buildpack>')
      .description('add a buildpack: a name, a URL, or a folder of the server')
      .option('-i, --index <number>', INDEX_HELP),
  ).action((buildpack: string, options: Options) =>
    change(options, 'added', (names) => {
      names.splice(placeOf(options.index, names.length + 1) ?? names.length, 0, buildpack);
      return names;
    }),
  );
  addClientOptions(
    program
      .command('buildpacks:set <buildpack>')
      .description('replace a buildpack, the first one unless told otherwise')
      .option('-i, --index <number>', INDEX_HELP),
  ).action((buildpack: string, options: Options) =>
    change(options, 'set', (names) => {
      names.splice(placeOf(options.index, names.length + 1) ?? 0, 1, buildpack);
      return names;
    }),
  );
  addClientOptions(
    program
      .command('buildpacks:remove [buildpack]')
      .description('remove a buildpack')
      .option('-i, --index <number>', INDEX_HELP),
  ).action((buildpack: string | undefined, options: Options) =>
    change(options, 'removed', (names) => {
      if ((buildpack === undefined) === (options.index === undefined))
        throw new TailraceError('invalid_params', 'Name the buildpack to remove, or its place with --index.');
      const at =
        buildpack === undefined
          ? placeOf(options.index, names.length)
          : names.findIndex(
              (name) =>
                name === buildpack || name === `heroku/${buildpack}` || name === `tailrace/${buildpack}`,
            );
      if (at === undefined || at === -1 || names.length === 0)
        throw new TailraceError('not_found', 'Buildpack not found. Nothing was removed.');
      names.splice(at, 1);
      return names;
    }),
  );
  addClientOptions(
    program.command('buildpacks:clear').description('remove all buildpacks: they are detected again'),
  ).action((options: Options) => change(options, 'removed', () => []));
}

/** Reads the app's buildpacks, changes them, and says what the next release uses. */
async function change(options: Options, done: string, edit: (names: string[]) => string[]): Promise<void> {
  const { app, client, path } = await resolveEndpoint(options, '/buildpack-installations');
  const before = await client.request<InstallationView[]>('GET', path);
  const names = edit(before.map(({ buildpack }) => buildpack.name));
  const updates = names.map((buildpack) => ({ buildpack }));
  const installed = await client.request<InstallationView[]>('PUT', path, { updates });
  const after = installed.map(({ buildpack }) => buildpack.name);
  printResult(options.json, installed, () => {
    if (after.length === 0)
      return `Buildpacks ${done}. Next release on ${app} will detect buildpacks normally.`;
    if (after.length === 1) return `Buildpack ${done}. Next release on ${app} will use ${after[0]}.`;
    return `Buildpack ${done}. Next release on ${app} will use:\n${listed(after, '  ')}`;
  });
}

/** @returns the index from 0; undefined if none was typed. @throws TailraceError `invalid_params` */
function placeOf(typed: string | undefined, max: number): number | undefined {
  if (typed === undefined) return undefined;
  const place = /^\d{1,3}$/.test(typed) ? Number(typed) : 0;
  if (place < 1 || place > max)
    throw new TailraceError(
      'invalid_params',
      `Invalid index "${typed}": choose a number from 1 to ${Math.max(max, 1)}.`,
    );
  return place - 1;
}

function listed(names: readonly string[], indent = ''): string {
  return names.length === 1
    ? `${indent}${names[0]}`
    : names.map((name, i) => `${indent}${i + 1}. ${name}`).join('\n');
}
