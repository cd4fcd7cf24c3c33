import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { defaultDataFolder, readSettings, type SettingDefaults } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { errorMessage } from '../../common/text/error-message.ts';
import { ApiClient, dataFolders } from '../api-client.ts';
import { wantsColor } from '../colorizer.ts';
import type { CheckLevel, CheckResult } from '../doctor/check-result.ts';
import type { CheckedServer } from '../doctor/run-checks.ts';
import { printResult } from '../format.ts';

/** A healthy server responds within this time. */
const SERVER_TIMEOUT_MS = 10_000;

/** Level → mark, and its color. */
const LEVEL_MARKS: Readonly<Record<CheckLevel, readonly [mark: string, color: number]>> = {
  ok: ['✓', 32],
  note: ['·', 90],
  concern: ['!', 33],
  trouble: ['✗', 31],
};

/** `tailrace doctor`: checks everything that may be wrong, and prints what to do. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check everything that may be wrong here, and say what to do')
    .option('-j, --json', 'print JSON')
    .option('--no-color', 'no colors')
    .action(async (options: { json?: boolean; color?: boolean }) => {
      const { runChecks } = await import('../doctor/run-checks.ts');
      const failures: CheckResult[] = [];
      const results = await runChecks({
        settings: tryOrReport('settings', failures, () => readSettings(process.env, settingDefaults())),
        server: tryOrReport('server', failures, findServerIfRunning),
      });
      results.unshift(...failures);
      const ok = !results.some(({ level }) => level === 'trouble');
      process.exitCode = ok ? 0 : 1;
      const useColor = wantsColor(process.stdout, options.color);
      printResult(options.json, { ok, findings: results }, () => formatResults(results, useColor));
    });
}

/** As `serve` has it, unless a data folder of `start` is here. */
function settingDefaults(): SettingDefaults {
  const data = dataFolders().find((folder) => existsSync(folder)) ?? defaultDataFolder(process.env);
  return { data, allowPrivateDrains: 'no', dynoMemory: 'none' };
}

function findServerIfRunning(): CheckedServer | undefined {
  try {
    const client = new ApiClient(undefined, SERVER_TIMEOUT_MS);
    return { ...client.address, get: (path) => client.request('GET', path) };
  } catch (error) {
    // None runs here, and none is configured: that is no error.
    if (error instanceof TailraceError && error.code === 'unavailable') return undefined;
    throw error;
  }
}

function tryOrReport<T>(check: string, failures: CheckResult[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    failures.push({ check, level: 'trouble', text: errorMessage(error) });
    return undefined;
  }
}

function formatResults(results: readonly CheckResult[], useColor: boolean): string {
  const width = Math.max(...results.map(({ check }) => check.length));
  const lines = results.map(({ check, level, text }) => {
    const [mark, code] = LEVEL_MARKS[level];
    return `${useColor ? `\x1b[${code}m${mark}\x1b[0m` : mark} ${check.padEnd(width)}  ${text}`;
  });
  return `${lines.join('\n')}\n\n${formatSummary(results)}`;
}

function formatSummary(results: readonly CheckResult[]): string {
  const count = (level: CheckLevel): number => results.filter((one) => one.level === level).length;
  const [wrong, doubtful] = [count('trouble'), count('concern')];
  if (wrong + doubtful === 0) return 'Everything is well.';
  const care = doubtful > 0 ? `${doubtful} ${doubtful === 1 ? 'needs' : 'need'} care (!)` : '';
  if (wrong === 0)
    return `It works; ${doubtful === 1 ? '1 thing needs' : `${doubtful} things need`} care (!).`;
  return `${wrong === 1 ? '1 thing is' : `${wrong} things are`} wrong (✗)${care ? `, ${care}` : ''}.`;
}
