import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import {
  APP_OPTION,
  addClientOptions,
  remoteOption,
  resolveEndpoint,
  resolveLastingEndpoint,
} from '../api-client.ts';
import { printResult, printText } from '../format.ts';
import { type FollowedRelease, latestRelease, releaseAndFollow, streamOutput } from './follow-release.ts';

/** `tailrace releases:output [v2]`, `releases:retry` */
export function releasePhaseCommands(program: Command): void {
  program
    .command('releases:output [release]')
    .description('show what the release command of a release said, or says (default: the last)')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .action(async (which: string | undefined, options: { app?: string }) => {
      const { client, path } = await resolveEndpoint(options, '/releases');
      const release =
        which === undefined
          ? await latestRelease(client, path)
          : await client.request<FollowedRelease>('GET', `${path}/${encodeURIComponent(which)}`);
      if (release.output_stream_url) await streamOutput(client, release.output_stream_url);
      else
        printText(
          `Release v${release.version} has no output: its slug has no process type release.`,
          process.stderr,
        );
    });
  addClientOptions(
    program
      .command('releases:retry')
      .description('make the last release once more, and run its release command again'),
  ).action(async (options: { app?: string; json?: boolean }) => {
    const { app, client, path } = await resolveLastingEndpoint(options);
    const releases = `${path}/releases`;
    const { version, slug, description } = await latestRelease(client, releases);
    const formation = await client.request<{ type: string }[]>('GET', `${path}/formation`);
    if (slug === null || !formation.some(({ type }) => type === 'release'))
      throw new TailraceError(
        'conflict',
        `${app} has no release command to run again: its Procfile has no process type release.`,
      );
    const body = { slug: slug.id, description: `Retry of v${version}: ${description}`.slice(0, 200) };
    const release = await releaseAndFollow(client, releases, body);
    printResult(options.json, release, () => `Retrying v${version} on ${app}... done, v${release.version}`);
  });
}
