import type { Command } from 'commander';
import { defaultDataFolder, readSettings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import { printResult, printText } from '../format.ts';

/** `tailrace migrate --to redis://…`: moves everything to another store, with all routers stopped. */
export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('move apps, tokens, drains, config and streams to another store; stop the routers first')
    .requiredOption('--to <store>', 'a data folder, or the URL of a Redis')
    .option('--from <store>', 'a data folder, or the URL of a Redis (default: what the settings name)')
    .option('-j, --json', 'print JSON')
    .action(async (options: { from?: string; to: string; json?: boolean }) => {
      const settings = readSettings(process.env, {
        data: defaultDataFolder(process.env),
        allowPrivateDrains: 'no',
        dynoMemory: 'none',
      });
      const source = options.from ?? (settings.redisUrl || settings.data);
      if (source === options.to)
        throw new TailraceError('invalid_params', 'The source and the target are the same store.');
      const { migrateStores } = await import('../../migration.ts');
      const apps: object[] = [];
      const warn = (message: string): void => printText(` !   ${message}`, process.stderr);
      await migrateStores(settings, [source, options.to], warn, (app) => {
        apps.push(app);
        if (!options.json) process.stdout.write(`${app.name}: ${formatCount(app.lines, 'line')}\n`);
      });
      printResult(
        options.json,
        apps,
        () => `Moved ${formatNumber(apps.length)} ${apps.length === 1 ? 'app' : 'apps'}.`,
      );
    });
}
