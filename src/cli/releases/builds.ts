import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import {
  APP_OPTION,
  type ApiClient,
  addClientOptions,
  remoteOption,
  resolveEndpoint,
} from '../api-client.ts';
import { formatElapsed, formatTable, printResult } from '../format.ts';
import { streamOutput } from './follow-release.ts';

interface BuildView {
  readonly id: string;
  readonly status: string;
  readonly buildpacks: readonly { readonly name: string }[];
  readonly output_stream_url: string;
  readonly release: { readonly version: number } | null;
  readonly source_blob: { readonly version: string };
  readonly created_at: string;
  readonly updated_at: string;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace builds`, `builds:info [id]`, `builds:output [id]`, `builds:cancel [id]`, `builds:cache:purge` */
export function buildCommands(program: Command): void {
  addClientOptions(program.command('builds').description("list an app's latest builds")).action(
    async (options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/builds');
      const all = (await client.request<BuildView[]>('GET', path)).reverse();
      printResult(options.json, all, () =>
        all.length === 0
          ? `${app} has no builds yet: push it.`
          : [`=== ${app} Builds`, '', formatTable(all.map(describeBuild))].join('\n'),
      );
    },
  );
  addClientOptions(
    program.command('builds:info [build]').description('show a build (default: the last)'),
  ).action(async (which: string | undefined, options: Options) => {
    const { app, client, path } = await resolveEndpoint(options, '/builds');
    const build = await requireBuild(client, app, path, which);
    const tookMs = Date.parse(build.updated_at) - Date.parse(build.created_at);
    printResult(options.json, build, () =>
      [
        `=== Build ${build.id}`,
        '',
        formatTable([
          ['Status:', build.status],
          ['Release:', build.release === null ? 'none' : `v${build.release.version}`],
          ['Commit:', build.source_blob.version || 'none'],
          ['Buildpacks:', build.buildpacks.map(({ name }) => name).join(', ') || 'none'],
          ['Began:', build.created_at],
          ['Took:', build.status === 'pending' ? 'not over yet' : formatElapsed(tookMs)],
        ]),
      ].join('\n'),
    );
  });
  program
    .command('builds:output [build]')
    .description('show what a build said, or follow what it says (default: the last)')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .action(async (which: string | undefined, options: Options) => {
      const { app, client, path } = await resolveEndpoint(options, '/builds');
      await streamOutput(client, (await requireBuild(client, app, path, which)).output_stream_url);
    });
  addClientOptions(
    program
      .command('builds:cancel [build]')
      .description('end a build that runs (default: the one that does); the app stays as it is'),
  ).action(async (which: string | undefined, options: Options) => {
    const { app, client, path } = await resolveEndpoint(options, '/builds');
    const running = (await client.request<BuildView[]>('GET', path)).find(
      ({ status }) => status === 'pending',
    );
    if (which === undefined && !running)
      throw new TailraceError('not_found', `No build of ${app} runs: there is nothing to cancel.`);
    const { id } = which === undefined && running ? running : await requireBuild(client, app, path, which);
    const build = await client.request<BuildView>('DELETE', `${path}/${id}`);
    printResult(options.json, build, () => `Canceling build ${id} of ${app}... done`);
  });
  addClientOptions(
    program
      .command('builds:cache:purge')
      .description('empty what buildpacks keep from build to build: the next one begins anew'),
  ).action(async (options: Options) => {
    const { app, client, path } = await resolveEndpoint(options, '/build-cache');
    const result = await client.request('DELETE', path);
    printResult(options.json, result, () => `Purging the build cache of ${app}... done`);
  });
}

function describeBuild(build: BuildView): string[] {
  return [
    build.id,
    build.status,
    build.release === null ? '-' : `v${build.release.version}`,
    build.source_blob.version.slice(0, 8) || '-',
    `${formatElapsed(Date.now() - Date.parse(build.created_at))} ago`,
  ];
}

/**
 * A build by its id, or the beginning of it; the last one without a name.
 * @throws TailraceError `not_found`
 */
async function requireBuild(
  client: ApiClient,
  app: string,
  path: string,
  which: string | undefined,
): Promise<BuildView> {
  const all = await client.request<BuildView[]>('GET', path);
  const found = which === undefined ? all.slice(-1) : all.filter(({ id }) => id.startsWith(which));
  if (found.length === 1) return found[0];
  if (all.length === 0) throw new TailraceError('not_found', `${app} has no builds yet: push it.`);
  const problem = found.length === 0 ? "Couldn't find that build" : `Several builds begin with ${which}`;
  throw new TailraceError('not_found', `${problem}; \`tailrace builds -a ${app}\` lists them.`);
}
