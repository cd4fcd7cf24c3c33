import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { APP_OPTION, remoteOption, resolveEndpoint } from '../api-client.ts';
import { printText } from '../format.ts';
import { type FollowedRelease, releaseAndFollow } from './follow-release.ts';

interface AppView {
  readonly id: string;
  readonly name: string;
}

/** `tailrace promote --to OTHER[,ANOTHER]` */
export function promoteCommand(program: Command): void {
  program
    .command('promote')
    .alias('pipelines:promote')
    .description('release what an app runs to other apps: the same slug, with their config vars')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .requiredOption('-t, --to <apps>', 'the apps that get it, with commas between them')
    .action(async (options: { app?: string; to: string }) => {
      const { client, path } = await resolveEndpoint(options);
      const source = await client.request<AppView>('GET', path);
      const names = options.to.split(',').flatMap((name) => name.trim() || []);
      if (names.length === 0)
        throw new TailraceError('invalid_params', 'Name the app that gets it: promote --to APP.');
      // All of them are there, or none gets it.
      const targets: AppView[] = [];
      for (const name of names)
        targets.push(
          await client
            .request<AppView>('GET', `/apps/${encodeURIComponent(name)}`)
            .catch((error: unknown) => {
              if (!(error instanceof TailraceError) || error.code !== 'not_found') throw error;
              throw new TailraceError('not_found', `Couldn't find the app ${name}; nothing was promoted.`);
            }),
        );
      if (targets.some(({ id }) => id === source.id))
        throw new TailraceError('invalid_params', `${source.name} can't be promoted to itself.`);
      const releases = await client.request<(FollowedRelease & { current: boolean })[]>(
        'GET',
        `${path}/releases`,
      );
      const current = releases.find((release) => release.current);
      if (!current?.slug)
        throw new TailraceError('conflict', `${source.name} has nothing to promote: deploy it first.`);
      const body = { slug: current.slug.id, description: `Promote ${source.name} v${current.version}` };
      for (const { id, name } of targets)
        try {
          const { version } = await releaseAndFollow(client, `/apps/${id}/releases`, body);
          printText(`Promoting ${source.name} v${current.version} to ${name}... done, v${version}`);
        } catch (error) {
          if (!(error instanceof TailraceError)) throw error;
          printText(` ›   Error: ${name}: ${error.message}`, process.stderr);
          process.exitCode = 1;
        }
    });
}
