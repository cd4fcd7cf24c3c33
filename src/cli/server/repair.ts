import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { defaultDataFolder, readSettings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { formatBytes, formatNumber } from '../../common/text/format-numbers.ts';
import type { RepairReport } from '../../logs/store/embedded/repair/repair.ts';
import { dataFolders } from '../api-client.ts';
import { printResult } from '../format.ts';

/** Something was wrong: it is repaired, or would be. */
const REPAIRED_EXIT_CODE = 2;

/** `tailrace repair`: keeps what is intact of a data folder, with the server stopped. */
export function repairCommand(program: Command): void {
  program
    .command('repair')
    .description(
      'check every byte of the data folder, keep what is intact, say what is lost; stop the server first',
    )
    .option('--dry-run', 'only say what would be done')
    .option('-j, --json', 'print JSON')
    .action(async (options: { dryRun?: boolean; json?: boolean }) => {
      const data = dataFolders().find((folder) => existsSync(folder)) ?? defaultDataFolder(process.env);
      const settings = readSettings(process.env, { data, allowPrivateDrains: 'no', dynoMemory: 'none' });
      if (settings.redisUrl !== '')
        throw new TailraceError(
          'settings',
          'The streams are on Redis (REDIS_URL), which repairs itself; unset it to repair a data folder.',
        );
      const [{ repairFolder }, { newAppChanges }] = await Promise.all([
        import('../../logs/store/embedded/repair/repair.ts'),
        import('../../apps/records/app-registry.ts'),
      ]);
      const dryRun = options.dryRun === true;
      const report = await repairFolder({
        folder: settings.data,
        dryRun,
        newApp: (id, name) => newAppChanges(id, name).changes,
      });
      const isWell = report.steps.length + report.lost.length === 0;
      if (!isWell) process.exitCode = REPAIRED_EXIT_CODE;
      printResult(options.json, { data: settings.data, dryRun, ...report }, () =>
        isWell
          ? `${settings.data} is intact: ${formatBytes(report.intactBytes)} of lines were checked.`
          : formatReport(report, settings.data, dryRun),
      );
    });
}

function formatReport(report: RepairReport, data: string, dryRun: boolean): string {
  const { steps, lost, damagedFolder, intactBytes, damagedBytes } = report;
  const lines = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return [
    `${data}:`,
    ...steps.map((step) => `- ${step}`),
    ...lost.map(
      ({ app, first, last }) =>
        `- Lost: lines ${first} to ${last} of ${app} (${formatNumber(last - first + 1)}).`,
    ),
    '',
    `${lines === 0 ? 'No line is lost' : `${formatNumber(lines)} lines are lost`}; ${formatBytes(intactBytes)} are intact, ${formatBytes(damagedBytes)} are damaged.`,
    dryRun
      ? 'Nothing was changed: run it without --dry-run.'
      : `Repaired.${damagedFolder === undefined ? '' : ` What was damaged is in ${damagedFolder}.`}`,
  ].join('\n');
}
