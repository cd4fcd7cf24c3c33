import type { RunningServer } from '../server.ts';
import { programName, withProgramName } from './program-name.ts';
import { printableWebUiUrl } from './web-ui-url.ts';

/** The first output of `tailrace start`: where things are, and what to type next. */
export function startBanner(options: {
  name: string;
  server: RunningServer;
  folder: string;
  private: boolean;
}): string {
  const { name, server } = options;
  const program = programName();
  const rows = [
    ['app', server.addresses.app(name)],
    [
      'page',
      withProgramName(
        printableWebUiUrl({ url: server.addresses.outside, key: server.key }, process.stdout, name),
        program,
      ),
    ],
    ['API', server.addresses.outside],
    [
      'syslog',
      `${new URL(server.addresses.outside).hostname}:${server.syslogPort} (TCP and UDP, a token in APP-NAME: ${program} tokens)`,
    ],
    ['tail', `${program} logs --tail        (in another terminal, from this folder)`],
    ['history', `${program} addons:add logging  (keeps the lines for months, searched on a page)`],
    [
      'heroku CLI',
      `HEROKU_HOST=${server.addresses.outside.replace('127.0.0.1', 'localhost')} HEROKU_API_KEY=$(${program} auth:token) heroku logs --tail -a ${name}`,
    ],
  ];
  if (options.private)
    rows.push([
      'drains',
      'may point at this machine and private networks (TAILRACE_ALLOW_PRIVATE_DRAINS=no forbids it)',
    ]);
  const lines = rows.map(([label, text]) => `  ${label.padEnd(11)} ${text}`);
  return `\ntailrace runs ${name} from ${options.folder}\n\n${lines.join('\n')}\n  stop        Ctrl-C (twice: at once)\n\n`;
}
