/** `tailrace pg:reset`, `pg:wait`, `pg:credentials:url`, `pg:ps`, `pg:locks`, `pg:kill`, `pg:killall` */
import { setTimeout as wait } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { addClientOptions, waitIntervalOption } from '../api-client.ts';
import { printResult } from '../format.ts';
import { requireConfirmation } from './backups.ts';
import { type DatabaseOptions, findAttachment, findDatabase, POSTGRES, runPsql } from './find-database.ts';

const POLL_MS = 500;

/** @param isVerbose idle connections too */
const activity = (
  isVerbose: boolean,
): string => `SELECT pid, state, application_name AS source, usename AS username,
  date_trunc('milliseconds', now() - xact_start) AS running_for, wait_event IS NOT NULL AS waiting, query
FROM pg_stat_activity
WHERE query <> '<insufficient privilege>' ${isVerbose ? '' : "AND state <> 'idle' "}AND pid <> pg_backend_pid() AND datname = current_database()
ORDER BY query_start DESC`;
const LOCKS = `SELECT activity.pid, class.relname, locks.transactionid, locks.granted, activity.query AS query_snippet,
  date_trunc('milliseconds', age(now(), activity.query_start)) AS age
FROM pg_stat_activity activity JOIN pg_locks locks USING (pid) LEFT JOIN pg_class class ON locks.relation = class.oid
WHERE activity.query <> '<insufficient privilege>' AND locks.mode IN ('ExclusiveLock', 'AccessExclusiveLock', 'RowExclusiveLock')
  AND activity.pid <> pg_backend_pid()
ORDER BY activity.query_start`;

export function databaseToolCommands(program: Command): void {
  addClientOptions(
    program
      .command('pg:reset [database]')
      .option('-c, --confirm <app>', 'the name of the app')
      .option('-e, --extensions <names>', 'extensions to make in it, with commas between')
      .description('delete everything in a PostgreSQL database'),
  ).action(
    async (
      which: string | undefined,
      options: DatabaseOptions & { confirm?: string; extensions?: string },
    ) => {
      const { client, app, attachment } = await findAttachment(options, which, POSTGRES);
      const { addon } = attachment;
      requireConfirmation(app, options, `${addon.name} loses all of its data.`);
      const extensions = options.extensions?.split(',').map((name) => name.trim());
      const made = await client.request('PUT', `/client/v11/databases/${addon.id}/reset`, { extensions });
      printResult(options.json, made, () => `Resetting ${addon.name}... done`);
    },
  );
  addClientOptions(
    program.command('pg:wait [database]').description('wait until a PostgreSQL database is there'),
  )
    .addOption(waitIntervalOption())
    .addOption(new Option('--no-notify', 'nothing is notified').hideHelp())
    .action(async (which: string | undefined, options: DatabaseOptions) => {
      const { client, attachment } = await findAttachment(options, which, POSTGRES);
      const path = `/client/v11/databases/${attachment.addon.id}/wait_status`;
      for (;;) {
        const status = await client.request<{ message: string; 'waiting?': boolean }>('GET', path);
        if (!status['waiting?'])
          return printResult(options.json, status, () => `${attachment.addon.name} is ${status.message}`);
        await wait(POLL_MS);
      }
    });
  addClientOptions(
    program
      .command('pg:credentials:url [database]')
      .description('print with what to connect to a PostgreSQL database'),
  ).action(async (which: string | undefined, options: DatabaseOptions) => {
    const { url } = await findDatabase(options, which, POSTGRES);
    const { hostname, port, username, password, pathname } = new URL(url);
    const word = `dbname=${pathname.slice(1)} host=${hostname} port=${port || 5432} user=${username} password=${password}`;
    printResult(options.json, { url }, () =>
      [
        'Connection information for default credential.',
        `Connection info string:\n  "${word}"`,
        `Connection URL:\n  ${url}`,
      ].join('\n'),
    );
  });
  addClientOptions(
    program.command('pg:ps [database]').description('show what a PostgreSQL database is at work on'),
  )
    .option('-v, --verbose', 'idle connections too')
    .action(async (which: string | undefined, options: DatabaseOptions & { verbose?: boolean }) => {
      const { url } = await findDatabase(options, which, POSTGRES);
      await runPsql(url, ['-X', '-q', '-c', activity(options.verbose ?? false)]);
    });
  addClientOptions(
    program
      .command('pg:locks [database]')
      .description('show what is locked in a PostgreSQL database, and by which query'),
  )
    .option('-t, --truncate', 'at most 40 letters of each query')
    .action(async (which: string | undefined, options: DatabaseOptions & { truncate?: boolean }) => {
      const { url } = await findDatabase(options, which, POSTGRES);
      const sql = options.truncate
        ? LOCKS.replace('activity.query AS', 'left(activity.query, 40) AS')
        : LOCKS;
      await runPsql(url, ['-X', '-q', '-c', sql]);
    });
  addClientOptions(
    program
      .command('pg:kill <pid> [database]')
      .option('-f, --force', 'end its connection too')
      .description('end a query, by the number that pg:ps shows'),
  ).action(async (pid: string, which: string | undefined, options: DatabaseOptions & { force?: boolean }) => {
    if (!/^\d{1,10}$/.test(pid))
      throw new TailraceError(
        'invalid_params',
        `"${pid}" is no number of a process: tailrace pg:ps shows them.`,
      );
    const { url } = await findDatabase(options, which, POSTGRES);
    const end = options.force ? 'pg_terminate_backend' : 'pg_cancel_backend';
    await runPsql(url, ['-X', '-q', '-c', `SELECT ${end}(${pid})`]);
  });
  addClientOptions(
    program.command('pg:killall [database]').description('end all connections to a PostgreSQL database'),
  ).action(async (which: string | undefined, options: DatabaseOptions) => {
    const { client, attachment } = await findAttachment(options, which, POSTGRES);
    const path = `/client/v11/databases/${attachment.addon.id}/connection_reset`;
    const made = await client.request('POST', path, {});
    printResult(options.json, made, () => 'Terminating connections for all credentials... done');
  });
}
