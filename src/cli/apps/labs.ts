import type { Command } from 'commander';
import { Client, chooseApp, clientOptions } from '../client.ts';
import { print, table } from '../table.ts';

interface FeatureView {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace labs`, `labs:enable log-runtime-metrics`, `labs:disable …` */
export function labsCommands(program: Command): void {
  clientOptions(program.command('labs').description('list what can be switched on for an app')).action(
    async (options: Options) => {
      const { client, path } = await about(options);
      const all = await client.ask<FeatureView[]>('GET', path);
      print(options.json, all, () =>
        table(all.map(({ name, description, enabled }) => [enabled ? '[+]' : '[ ]', name, description])),
      );
    },
  );
  for (const [command, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    clientOptions(
      program.command(`labs:${command} <feature>`).description(`${command} something for an app`),
    ).action(async (feature: string, options: Options) => {
      const { app, client, path } = await about(options);
      const view = await client.ask<FeatureView>('PATCH', `${path}/${encodeURIComponent(feature)}`, {
        enabled,
      });
      print(
        options.json,
        view,
        () => `${enabled ? 'Enabling' : 'Disabling'} ${view.name} for ${app}... done`,
      );
    });
}

async function about(options: Options) {
  const client = new Client();
  const app = await chooseApp(client, options.app);
  return { app, client, path: `/apps/${encodeURIComponent(app)}/features` };
}
