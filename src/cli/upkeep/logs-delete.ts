import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { formatNumber } from '../../common/text/format-numbers.ts';
import { TIME_FORMS } from '../../common/time-expression.ts';
import { zonedSearch } from '../../logs/query/query-times.ts';
import { APP_OPTION, remoteOption, resolveEndpoint } from '../api-client.ts';
import { printResult } from '../format.ts';
import { parseTimeOption } from '../time-options.ts';

interface LogsDeleteOptions {
  readonly app?: string;
  readonly from?: string;
  readonly to?: string;
  readonly query?: string;
  readonly source?: string;
  readonly dyno?: string;
  readonly level?: string;
  readonly confirm?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface LineDeletionView {
  readonly lines: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly dry_run: boolean;
}

/** `tailrace logs:delete`: lines that must not be kept, such as those of a person who asks for that. */
export function logsDeleteCommand(program: Command): void {
  program
    .command('logs:delete')
    .description('delete lines of an app for good, by time and search')
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('--from <time>', `those that were stored from then on: ${TIME_FORMS}`, parseTimeOption)
    .option('--to <time>', 'and up to then', parseTimeOption)
    .option('-q, --query <search>', "those that match: words, 'user.email:ada@example.com' (docs/search.md)")
    .option('-s, --source <name>', 'only lines of this source; several with commas')
    .option('-d, --dyno <name>', 'only lines of this dyno (web.1), or of all of a type (web)')
    .option('-l, --level <level>', 'only lines at least as serious')
    .option('-c, --confirm <app>', 'the name of the app')
    .option('--dry-run', 'only count them')
    .option('-j, --json', 'print JSON')
    .action(async (options: LogsDeleteOptions) => {
      const { from, to, query, source, dyno, level, confirm, dryRun, json } = options;
      const { client, app, path } = await resolveEndpoint(options, '/line-deletions');
      if (!dryRun && confirm !== app)
        throw new TailraceError(
          'confirmation_required',
          confirm === undefined
            ? `These lines of ${app} would be deleted for good: repeat it with --confirm ${app}, or count them with --dry-run.`
            : `${confirm} isn't ${app}: repeat it with --confirm ${app}.`,
        );
      const q = query && zonedSearch(query, Date.now());
      const body = { from, to, q, source, dyno, level, confirm, dry_run: dryRun === true };
      const deleted = await client.request<LineDeletionView>('POST', path, body);
      printResult(json, deleted, () => {
        const { lines, first, last } = deleted;
        const which = lines === 0 ? '' : ` (numbers ${first} to ${last})`;
        const count = `${formatNumber(lines)} ${lines === 1 ? 'line' : 'lines'} of ${app}${which}`;
        return dryRun ? `Would delete ${count}.` : `Deleted ${count}.`;
      });
    });
}
