import type { Command } from 'commander';
import { defaultDataFolder, readSettings } from '../../common/config/settings.ts';
import type { LeftServer, RunningServer } from '../../server.ts';
import { waitForShutdown } from '../signals.ts';
import { printableWebUiUrl } from '../web-ui-url.ts';
import { addPortOptions, choosePorts, type PortOptions, withPortOptions } from './choose-ports.ts';
import { Predecessor } from './restart/predecessor.ts';
import { Successors } from './restart/successors.ts';

/** `tailrace serve`: the server, without an app of its own. */
export function serveCommand(program: Command): void {
  addPortOptions(program.command('serve'))
    .description('run the server without an app: lines in, tails and drains out')
    .action(async (options: PortOptions) => {
      const predecessor = Predecessor.find();
      const environment = withPortOptions(process.env, options);
      const wanted = readSettings(environment, {
        data: defaultDataFolder(process.env),
        allowPrivateDrains: 'no',
        dynoMemory: '512MB',
        dynoHandoverMs: '60s',
      });
      const settings = predecessor ? wanted : await choosePorts(wanted, environment, true);
      // Before the start: a supervisor may stop it at any moment.
      let server: RunningServer | undefined;
      let successors: Successors | undefined;
      const stopped = waitForShutdown(
        () => (successors?.hasSuccessor ? successors.end('SIGQUIT') : server?.dynoManager.kill()),
        () => (successors?.hasSuccessor ? successors.reload() : server?.reload()),
      );
      process.on('SIGUSR2', () => {
        if (predecessor) predecessor.requestRestart();
        else void successors?.restart();
      });
      // Loaded here, so that every other command starts without a server's weight.
      const [{ startServer }, { createLogger, defaultLogFormat }] = await Promise.all([
        import('../../server.ts'),
        import('../../common/logger.ts'),
      ]);
      const log = createLogger({ level: settings.logLevel, format: defaultLogFormat(process.stderr) });
      await predecessor?.waitForTurn();
      const running = await startServer(settings, log);
      server = running;
      process.stdout.write(
        [
          `tailrace serves on ${server.url} (API, /logs, tails), syslog on ${bracketIpv6(settings.host)}:${server.syslogPort} (TCP, UDP)${server.syslogTlsPort === undefined ? '' : ` and ${server.syslogTlsPort} (TLS)`},`,
          `web dynos on port ${server.routerPort}${settings.appsUrl === '' ? '' : ` (${server.addresses.app('<app>')})`}; data in ${settings.data}. Make an app with: tailrace create NAME`,
          ...(server.tlsPorts
            ? [`Over TLS: API on port ${server.tlsPorts.http}, web dynos on port ${server.tlsPorts.router}`]
            : []),
          `Live page: ${printableWebUiUrl({ url: server.addresses.outside, key: server.key }, process.stdout)}\n`,
        ].join('\n'),
      );
      if (predecessor) await serveAsSuccessor(predecessor, running, stopped);
      else {
        successors = new Successors(log, (routerLine) => running.leave(routerLine));
        await serveFirst(successors, running, stopped);
      }
    });
}

/** Serves until it is stopped; when it is restarted, another process does. */
async function serveFirst(
  successors: Successors,
  server: RunningServer,
  stopped: Promise<void>,
): Promise<void> {
  await Promise.race([stopped, successors.ended]);
  successors.close();
  if (!successors.hasSuccessor) return server.close();
  await successors.end('SIGTERM');
  process.exit(await successors.ended);
}

/** Serves until it is stopped, or another server follows it. */
async function serveAsSuccessor(
  predecessor: Predecessor,
  server: RunningServer,
  stopped: Promise<void>,
): Promise<void> {
  let left: LeftServer | undefined;
  const ended = new Promise<void>((resolve, reject) => {
    predecessor.listen({
      leave: async () => {
        left = await server.leave((app, message) => predecessor.sendRouterLine(app, message));
      },
      end: () => void left?.finishRequests().then(resolve, reject),
      reload: () => server.reload(),
      routerLine: (app, message) => server.writeRouterLine(app, message),
    });
  });
  await Promise.race([stopped, ended]);
  if (!left) await server.close();
  predecessor.close();
}

/** A host as it is written in front of a port. */
function bracketIpv6(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
