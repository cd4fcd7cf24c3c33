import { type Command, Option } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { type ApiClient, addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';
import type { AttachmentView } from './addon-client.ts';
import {
  attachmentsOf,
  type DatabaseOptions,
  findDatabase,
  POSTGRES,
  pickAttachment,
  REDIS,
  runClient,
  runPsql,
} from './find-database.ts';

/** `pg:psql`, `pg:info`, `pg:promote`, `redis:cli`, `redis:info`, `redis:promote` */
export function databaseCommands(program: Command): void {
  addClientOptions(
    program
      .command('pg:psql [database]')
      .alias('psql')
      .description("psql on one of the app's PostgreSQL databases"),
  )
    .option('-c, --command <sql>', 'run this and end')
    .option('-f, --file <file>', 'run what is in this file and end')
    .action(
      async (which: string | undefined, options: DatabaseOptions & { command?: string; file?: string }) => {
        const { url } = await findDatabase(options, which, POSTGRES);
        const args = [
          ...(options.command === undefined ? [] : ['-c', options.command]),
          ...(options.file === undefined ? [] : ['-f', options.file]),
        ];
        await runPsql(url, args);
      },
    );
  addClientOptions(
    program.command('redis:cli [database]').description("redis-cli on one of the app's Redis servers"),
  )
    .addOption(new Option('-c, --confirm <app>', 'nothing has to be confirmed').hideHelp())
    .argument('[command...]', 'a command to run, instead of a prompt: -- GET key')
    .action(async (which: string | undefined, words: string[], options: DatabaseOptions) => {
      const { url } = await findDatabase(options, which, REDIS);
      const parsed = new URL(url);
      const isTls = parsed.protocol === 'rediss:';
      const args = [
        '-h',
        parsed.hostname,
        '-p',
        parsed.port || '6379',
        ...(isTls ? ['--tls'] : []),
        ...words,
      ];
      const password = decodeURIComponent(parsed.password);
      await runClient('redis-cli', 'redis-tools', args, password ? { REDISCLI_AUTH: password } : {});
    });
  for (const [prefix, kind] of [
    ['pg', POSTGRES],
    ['redis', REDIS],
  ] as const) {
    addClientOptions(
      program
        .command(`${prefix}:info [database]`)
        .alias(prefix)
        .description(`show what the app's ${kind.word} databases are like now`),
    ).action(async (which: string | undefined, options: DatabaseOptions) => {
      const { client, app } = await resolveEndpoint(options);
      const attachments = await attachmentsOf(client, app, kind);
      const wanted = which === undefined ? attachments : [pickAttachment(attachments, app, which, kind)];
      const ids = [...new Set(wanted.map(({ addon }) => addon.id))];
      const all = await Promise.all(ids.map(async (id) => describe(client, attachments, id)));
      printResult(options.json, all, () =>
        all.length === 0
          ? `${app} has no ${kind.service} databases.`
          : all
              .map(({ title, rows }) =>
                [
                  `=== ${title}`,
                  formatTable(rows.map(({ name, values }) => [`${name}:`, values.join(', ')])),
                ].join('\n'),
              )
              .join('\n\n'),
      );
    });
    addClientOptions(
      program
        .command(`${prefix}:promote <database>`)
        .description(`make one of the app's ${kind.word} databases its ${kind.attachment}_URL`),
    )
      .addOption(new Option('-f, --force', 'nothing is in the way here').hideHelp())
      .action(async (which: string, options: DatabaseOptions) => {
        const { client, app } = await resolveEndpoint(options);
        const attachments = await attachmentsOf(client, app, kind);
        const { addon } = pickAttachment(attachments, app, which, kind);
        const current = attachments.find(({ name }) => name === kind.attachment);
        if (current?.addon.id === addon.id)
          throw new TailraceError('invalid_params', `${addon.name} is already promoted on ${app}.`);
        // What has the name now keeps another one.
        const isOnly = attachments.filter((one) => one.addon.id === current?.addon.id).length === 1;
        if (current && isOnly)
          await client.request('POST', '/addon-attachments', {
            addon: current.addon.name,
            app,
            confirm: app,
          });
        const body = { addon: addon.name, app, name: kind.attachment, confirm: app };
        const made = await client.request<AttachmentView>('POST', '/addon-attachments', body);
        printResult(
          options.json,
          made,
          () => `Promoting ${addon.name} to ${kind.attachment}_URL on ${app}... done`,
        );
      });
  }
}

async function describe(client: ApiClient, attachments: readonly AttachmentView[], id: string) {
  const own = attachments.filter(({ addon }) => addon.id === id);
  const rows = await client.request<{ name: string; values: string[] }[]>('GET', `/addons/${id}/details`);
  return {
    title: own.flatMap((one) => one.config_vars).join(', '),
    rows: [...rows, { name: 'Add-on', values: [own[0].addon.name] }],
  };
}
