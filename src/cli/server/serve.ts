import type { Command } from 'commander';
import { defaultDataFolder, readSettings } from '../../common/config/settings.ts';
import type { RunningServer } from '../../server.ts';
import { waitForShutdown } from '../signals.ts';
import { printableWebUiUrl } from '../web-ui-url.ts';
import { addPortOptions, choosePorts, type PortOptions, withPortOptions } from './choose-ports.ts';

/** `tailrace serve`: the server, without an app of its own. */
export function serveCommand(program: Command): void {
  addPortOptions(program.command('serve'))
    .description('run the server without an app: lines in, tails and drains out')
    .action(async (options: PortOptions) => {
      const environment = withPortOptions(process.env, options);
      const wanted = readSettings(environment, {
        data: defaultDataFolder(process.env),
        allowPrivateDrains: 'no',
        dynoMemory: '512MB',
        dynoHandoverMs: '60s',
      });
      const settings = await choosePorts(wanted, environment, true);
      // Before the start: a supervisor may stop it at any moment.
      let server: RunningServer | undefined;
      const stopped = waitForShutdown(
        () => server?.dynoManager.kill(),
        () => server?.reload(),
      );
      // Loaded here, so that every other command starts without a server's weight.
      const [{ startServer }, { createLogger, defaultLogFormat }] = await Promise.all([
        import('../../server.ts'),
        import('../../common/logger.ts'),
      ]);
      const log = createLogger({ level: settings.logLevel, format: defaultLogFormat(process.stderr) });
      server = await startServer(settings, log);
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
      const left = new Promise<'leave'>((resolve) => process.once('SIGUSR2', () => resolve('leave')));
      if ((await Promise.race([stopped, left])) === 'leave') await server.leave();
      else await server.close();
    });
}

/** A host as it is written in front of a port. */
function bracketIpv6(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
