import type { Command } from 'commander';
import type { DrainView } from '../../api/logs/drain-view.ts';
import { TailraceError } from '../../common/errors.ts';
import { ownValue } from '../../common/own-value.ts';
import { printResult } from '../format.ts';
import { collectValues } from '../repeated-option.ts';
import { addDrainFlags, type DrainFlags, drainOptionsFromFlags, readDrainUrl } from './drain-flags.ts';
import { addDrainCommand, formatLag, resolveDrain } from './drains.ts';

interface Flags extends DrainFlags {
  app?: string;
  json?: boolean;
  url?: string;
  unset?: string[];
}

/** Flags whose option has another name. */
const OPTION_NAME_BY_FLAG: Readonly<Record<string, string>> = {
  gzip: 'compression',
  header: 'headers',
  source: 'sources',
  dyno: 'dynos',
  redact_pattern: 'redact_patterns',
};

/** `tailrace drains:update [DRAIN] [--url URL] [--level warn] [--unset sample]` */
export function drainsUpdateCommand(program: Command): void {
  addDrainFlags(
    addDrainCommand(
      program,
      'drains:update',
      'change where a drain leads, what it gets or how; it goes on where it is in the stream',
    )
      .option('--url <url>', 'where it leads from now on; - reads it from standard input')
      .option('--unset <option>', 'take an option away again, such as level or redact', collectValues),
  ).action(async (which: string | undefined, flags: Flags) => {
    const given = Object.entries(drainOptionsFromFlags(flags)).filter(([, value]) => value !== undefined);
    const unset = (flags.unset ?? []).map((flag) => [optionName(flag), null]);
    if (given.length + unset.length === 0 && flags.url === undefined)
      throw new TailraceError(
        'invalid_params',
        'Say what to change: --url, an option such as --level warn, or --unset level.',
      );
    const { client, path } = await resolveDrain(which, flags);
    const options = Object.fromEntries([...unset, ...given]);
    const drain = await client.request<DrainView>('PATCH', path, {
      url: flags.url && (await readDrainUrl(flags.url)),
      options,
    });
    printResult(flags.json, drain, () => formatUpdatedDrain(drain));
  });
}

/** `redact-pattern` → `redact_patterns` */
function optionName(flag: string): string {
  const name = flag.replace(/^--/, '').replaceAll('-', '_');
  return ownValue(OPTION_NAME_BY_FLAG, name) ?? name;
}

function formatUpdatedDrain({ url, token, options, delivery }: DrainView): string {
  const set = Object.keys(options).length > 0 ? `\nOptions: ${JSON.stringify(options)}` : '';
  return `Updated drain ${url} (${token}), ${formatLag(delivery)}${set}`;
}
