import type { Command } from 'commander';
import split2 from 'split2';
import { TailraceError } from '../../common/errors.ts';
import { APP_OPTION, ApiClient, remoteOption, resolveApp } from '../api-client.ts';

/** Lines in one request, at the most. */
const REQUEST_LINES_MAX = 2_000;

interface LogOptions {
  app?: string;
  source: string;
  dyno: string;
}

/** `tailrace log "message"`, `anything | tailrace log` */
export function logCommand(program: Command): void {
  program
    .command('log [message...]')
    .description(
      'push a line by hand, or every line of the standard input; without either, the same as `logs`',
    )
    .option(...APP_OPTION)
    .addOption(remoteOption())
    .option('-s, --source <name>', 'the source to speak as', 'app')
    .option('-d, --dyno <name>', 'the name in the brackets', 'log')
    .option('-t, --tail', 'show lines as they come (the old spelling of `logs --tail`)')
    .action(async (words: string[], options: LogOptions & { tail?: boolean }) => {
      if (options.tail || (words.length === 0 && process.stdin.isTTY)) {
        await program.parseAsync(
          ['logs', ...(options.tail ? ['--tail'] : []), ...(options.app ? ['-a', options.app] : [])],
          { from: 'user' },
        );
        return;
      }
      const client = new ApiClient();
      const token = await sourceToken(client, await resolveApp(client, options.app), options.source);
      if (words.length > 0) await client.pushLines(token, options.dyno, Buffer.from(`${words.join(' ')}\n`));
      else await pushStdin(client, token, options.dyno);
    });
}

async function sourceToken(client: ApiClient, app: string, source: string): Promise<string> {
  const tokens = await client.request<{ token: string; source: string }[]>(
    'GET',
    `/apps/${encodeURIComponent(app)}/tokens`,
  );
  const found = tokens.find((token) => token.source === source);
  if (found) return found.token;
  throw new TailraceError(
    'not_found',
    `${app} has no source "${source}": make one with \`tailrace tokens:add --source ${source}\`.`,
  );
}

/** Sends what is queued after the response to the request before: slow input isn't delayed, fast input is batched. */
async function pushStdin(client: ApiClient, token: string, dyno: string): Promise<void> {
  const queued: string[] = [];
  let sending: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    while (queued.length > 0) {
      const lines = queued.splice(0, REQUEST_LINES_MAX);
      // Each line with its end: the last one may be empty.
      await client.pushLines(token, dyno, Buffer.from(`${lines.join('\n')}\n`, 'latin1'));
    }
    sending = undefined;
  };
  // latin1 keeps every byte as it is, whatever the encoding of the input.
  process.stdin.setEncoding('latin1');
  for await (const line of process.stdin.pipe(split2())) {
    queued.push(line);
    sending ??= send();
    if (queued.length >= REQUEST_LINES_MAX * 2) await sending;
  }
  await sending;
}
