import type { Command } from 'commander';
import { TailraceError } from '../errors.ts';
import { defaultDataFolder, readSettings } from '../settings.ts';
import { number, print } from './table.ts';

/** `tailrace migrate --to redis://…`: moves everything to another store, with all routers stopped. */
export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('move apps, tokens, drains, config and streams to another store; stop the routers first')
    .requiredOption('--to <store>', 'a data folder, or the URL of a Redis')
    .option('--from <store>', 'a data folder, or the URL of a Redis (default: what the settings name)')
    .option('--json', 'print JSON')
    .action(async (options: { from?: string; to: string; json?: boolean }) => {
      const settings = readSettings(process.env, {
        data: defaultDataFolder(process.env),
        allowPrivateDrains: false,
      });
      const { openStore, isRedisUrl } = await import('../store/open.ts');
      const { migrate } = await import('../platform/migration.ts');
      const source = options.from ?? (settings.redisUrl || settings.data);
      if (source === options.to)
        throw new TailraceError('invalid_params', 'The source and the target are the same store.');
      const warn = (_fields: object, message: string): void => {
        process.stderr.write(` !   ${message}\n`);
      };
      const open = (where: string) =>
        openStore({ ...settings, redisUrl: isRedisUrl(where) ? where : '', data: where }, warn);
      const from = await open(source);
      try {
        const to = await open(options.to);
        try {
          const apps: { name: string; lines: number; bytes: number }[] = [];
          await migrate(from, to, (app) => {
            apps.push(app);
            if (!options.json) process.stdout.write(`${app.name}: ${number(app.lines)} lines\n`);
          });
          print(
            options.json,
            apps,
            () => `Moved ${number(apps.length)} ${apps.length === 1 ? 'app' : 'apps'}.`,
          );
        } finally {
          await to.close();
        }
      } finally {
        await from.close();
      }
    });
}
