import { type Command, Option } from 'commander';
import { addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';

interface FeatureView {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
}
interface Options {
  readonly app?: string;
  readonly json?: boolean;
}

/** `tailrace labs`, `labs:enable log-runtime-metrics`, `labs:disable …`; the same as `features…` */
export function labsCommands(program: Command): void {
  addClientOptions(
    program.command('labs').alias('features').description('list what can be switched on for an app'),
  ).action(async (options: Options) => {
    const { client, path } = await resolveEndpoint(options, '/features');
    const all = await client.request<FeatureView[]>('GET', path);
    printResult(options.json, all, () =>
      formatTable(all.map(({ name, description, enabled }) => [enabled ? '[+]' : '[ ]', name, description])),
    );
  });
  addClientOptions(
    program.command('labs:info <feature>').alias('features:info').description('show one of them'),
  ).action(async (feature: string, options: Options) => {
    const { client, path } = await resolveEndpoint(options, `/features/${encodeURIComponent(feature)}`);
    const view = await client.request<FeatureView>('GET', path);
    printResult(options.json, view, () =>
      formatTable([[view.enabled ? '[+]' : '[ ]', view.name, view.description]]),
    );
  });
  for (const [command, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    addClientOptions(
      program
        .command(`labs:${command} <feature>`)
        .alias(`features:${command}`)
        .description(`${command} something for an app`),
    )
      .addOption(new Option('--confirm <app>', 'nothing here needs it').hideHelp())
      .action(async (feature: string, options: Options) => {
        const { app, client, path } = await resolveEndpoint(options, '/features');
        const view = await client.request<FeatureView>('PATCH', `${path}/${encodeURIComponent(feature)}`, {
          enabled,
        });
        printResult(
          options.json,
          view,
          () => `${enabled ? 'Enabling' : 'Disabling'} ${view.name} for ${app}... done`,
        );
      });
}
