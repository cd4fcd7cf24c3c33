import type { Command } from 'commander';
import { TailraceError } from '../../common/errors.ts';
import { trimTrailing } from '../../common/limits/trim-trailing.ts';
import { ApiClient } from '../api-client.ts';
import { printResult, printText } from '../format.ts';
import { applyPlan, type ImportResult } from './apply-plan.ts';
import { type ListedApp, nameOfImport, readDestination } from './destination.ts';
import { switchGitRemotes } from './git-remotes.ts';
import type { ImportNote, ImportStep } from './import-plan.ts';
import { planImport } from './plan-import.ts';
import { SourceApi } from './source-api.ts';
import { readSourceApp } from './source-app.ts';
import { findSourceKey } from './source-key.ts';

interface ImportCommandOptions {
  readonly from: string;
  readonly app: string;
  readonly as?: string;
  readonly dryRun?: boolean;
  readonly configValues?: boolean;
  readonly keyFile?: string;
  readonly remote?: boolean;
  readonly json?: boolean;
}

const HEROKU = 'https://api.heroku.com';

/** `tailrace import --app NAME`: makes an app here as it is at Heroku, or on another Tailrace. */
export function importCommand(program: Command): void {
  program
    .command('import')
    .description(
      'make an app as it is at Heroku, or on another Tailrace; what is there already stays, so it can be run again',
    )
    .requiredOption('-a, --app <name>', 'the app there')
    .option('--from <url>', 'the Platform API that has it', HEROKU)
    .option('--as <name>', 'what it is called here (default: as there)')
    .option(
      '--dry-run',
      'change nothing: say what comes along, what will be different, and what stays behind',
    )
    .option('--config-values', 'copy the values of config vars, too')
    .option(
      '--key-file <file>',
      'the key is in this file; - for standard input (default: HEROKU_API_KEY, or ~/.netrc)',
    )
    .option('--remote', 'let the git remote heroku of this folder lead here; the old one becomes heroku-old')
    .option('-j, --json', 'print JSON')
    .addHelpText('after', '\nNothing is changed there. docs/leaving-heroku.md goes through a whole move.')
    .action(runImport);
}

async function runImport(options: ImportCommandOptions): Promise<void> {
  const url = parseSourceUrl(options.from);
  const key = await findSourceKey(new URL(url).hostname, options.keyFile);
  const client = new ApiClient();
  const onWait = (reason: string): void => printText(reason, process.stderr);
  const api = new SourceApi({ url, key, onWait });
  const source = await readSourceApp(api, options.app);
  const from = `${url}/apps/${source.id}`;
  const apps = await client.request<ListedApp[]>('GET', '/apps');
  const { name, exists } = nameOfImport(apps, { from, wanted: options.as, name: source.name });
  const here = await readDestination(client, name, exists);
  const { steps, notes } = planImport(source, here, {
    name,
    from,
    configValues: options.configValues ?? false,
    ownUrls: [client.address.url, ...apps.slice(0, 1).map(({ git_url: gitUrl }) => gitUrl)],
  });
  const say = (text: string): void => {
    if (!options.json) printText(text);
  };
  say(
    `${source.name} at ${api.host} → ${name} here${options.dryRun ? ' (dry run: nothing is changed)' : ''}`,
  );
  const results = options.dryRun
    ? steps.map(planned)
    : await applyPlan(client, name, steps, (result) => say(`  ${shownResult(result)}`));
  if (options.dryRun) say(results.map((result) => `  ${shownResult(result)}`).join('\n'));
  say(shownNotes(notes));
  const failed = results.filter(({ state }) => state === 'failed');
  if (options.remote && !options.dryRun && results[0].state !== 'failed') {
    const { git_url: to } = await client.request<{ git_url: string }>(
      'GET',
      `/apps/${encodeURIComponent(name)}`,
    );
    say(switchGitRemotes(source.gitUrl, to).join('\n'));
  }
  if (options.json)
    printResult(true, { app: name, from, dry_run: options.dryRun ?? false, steps: results, notes }, () => '');
  if (failed.length > 0)
    throw new TailraceError(
      'conflict',
      `${failed.length} of ${results.length} could not be done: mend what is said above, and run the same again; it goes on where it was.`,
    );
  if (!options.dryRun) say(`Done. Deploy it with: git push tailrace main`);
}

/** @throws TailraceError `invalid_params` */
function parseSourceUrl(given: string): string {
  const url = trimTrailing(given, '/');
  const isUrl = /^https?:\/\//.test(url) && URL.canParse(url);
  if (!isUrl || new URL(url).username !== '' || new URL(url).pathname !== '/' || /[?#]/.test(url))
    throw new TailraceError(
      'invalid_params',
      `--from is the address of a Platform API, such as ${HEROKU} or http://localhost:8601: without a path, and without a key in it.`,
    );
  return url;
}

function planned({ what, request }: ImportStep): ImportResult {
  return { what, state: request === undefined ? 'there' : 'planned' };
}

function shownResult({ what, state, reason, invitation }: ImportResult): string {
  if (state === 'failed') return `${what}: failed: ${reason ?? ''}`;
  if (state === 'there') return `${what}: is here already`;
  if (state === 'planned') return what;
  return invitation === undefined
    ? `${what}: done`
    : `${what}: invited; send this link, which works once, for a week:\n    ${invitation}`;
}

function shownNotes(notes: readonly ImportNote[]): string {
  const list = (kind: ImportNote['kind'], heading: string): string[] => {
    const found = notes.filter((note) => note.kind === kind);
    return found.length === 0 ? [] : [heading, ...found.map(({ text }) => `  ${text}`)];
  };
  return [...list('differs', 'Different here:'), ...list('stays', "Doesn't come along:")].join('\n');
}
