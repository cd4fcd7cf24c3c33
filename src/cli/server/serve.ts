import type { Command } from 'commander';
import { defaultDataFolder, readSettings } from '../../common/config/settings.ts';
import { urlHost } from '../../common/text/url-host.ts';
import { waitForShutdown } from '../signals.ts';
import { printableWebUiUrl } from '../web-ui-url.ts';
import { addPortOptions, choosePorts, type PortOptions, withPortOptions } from './choose-ports.ts';
import { OwnServer } from './restart/own-server.ts';
import { Predecessor } from './restart/predecessor.ts';
import { Successors } from './restart/successors.ts';

/** `tailrace serve`: the server, without an app of its own. */
export function serveCommand(program: Command): void {
  addPortOptions(program.command('serve'))
    .description('run the server without an app: lines in, tails and drains out')
    .action(async (options: PortOptions) => {
      const predecessor = Predecessor.find();
      try {
        await serve(options, predecessor);
      } finally {
        // Also one that can't start: it would wait for messages for ever.
        predecessor?.close();
      }
    });
}

/** @param predecessor if it follows another server */
async function serve(options: PortOptions, predecessor: Predecessor | undefined): Promise<void> {
  const environment = withPortOptions(process.env, options);
  const wanted = readSettings(environment, {
    data: defaultDataFolder(process.env),
    allowPrivateDrains: 'no',
    dynoMemory: '512MB',
    dynoHandoverMs: '60s',
  });
  const settings = predecessor ? wanted : await choosePorts(wanted, environment, true);
  // Before the start: a supervisor may stop it at any moment.
  let own: OwnServer | undefined;
  let successors: Successors | undefined;
  const stopped = waitForShutdown(
    () => (successors ?? own)?.kill(),
    () => (successors ?? own)?.reload(),
  );
  process.on('SIGUSR2', () => {
    if (predecessor) predecessor.requestRestart();
    else successors?.restart();
  });
  // Loaded here, so that every other command starts without a server's weight.
  const [{ startServer }, { createLogger, defaultLogFormat }, { checkStart }] = await Promise.all([
    import('../../server.ts'),
    import('../../common/logger.ts'),
    import('./restart/check-start.ts'),
  ]);
  const log = createLogger({ level: settings.logLevel, format: defaultLogFormat(process.stderr) });
  if (predecessor) {
    await checkStart(settings, log);
    await predecessor.waitForTurn();
  }
  const start = () => startServer(settings, log);
  const server = await start();
  own = new OwnServer(server, start);
  process.stdout.write(
    [
      `tailrace serves on ${server.url} (API, /logs, tails), syslog on ${urlHost(settings.host)}:${server.syslogPort} (TCP, UDP)${server.syslogTlsPort === undefined ? '' : ` and ${server.syslogTlsPort} (TLS)`},`,
      `web dynos on port ${server.routerPort}${settings.appsUrl === '' ? '' : ` (${server.addresses.app('<app>')})`}; data in ${settings.data}. Make an app with: tailrace create NAME`,
      ...(server.tlsPorts
        ? [`Over TLS: API on port ${server.tlsPorts.http}, web dynos on port ${server.tlsPorts.router}`]
        : []),
      `Live page: ${printableWebUiUrl({ url: server.addresses.outside, key: server.key }, process.stdout)}\n`,
    ].join('\n'),
  );
  if (predecessor) await serveAsSuccessor(predecessor, own, stopped);
  else {
    successors = new Successors(log, own);
    await serveFirst(successors, own, stopped);
  }
}

/** Serves until it is stopped; when it is restarted, another process does. */
async function serveFirst(successors: Successors, own: OwnServer, stopped: Promise<void>): Promise<void> {
  const status = await Promise.race([stopped, successors.ended]);
  await successors.close();
  if (successors.hasSuccessor) {
    await successors.end('SIGTERM');
    process.exit(await successors.ended);
  }
  await own.close();
  // It could not serve again after another one had failed.
  if (status !== undefined) process.exit(status);
}

/** Serves until it is stopped, or another server follows it. */
async function serveAsSuccessor(
  predecessor: Predecessor,
  own: OwnServer,
  stopped: Promise<void>,
): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    predecessor.listen({
      leave: () => own.leave((app, message) => predecessor.sendRouterLine(app, message)),
      comeBack: () => {
        const back = own.comeBack();
        back.catch(reject);
        return back;
      },
      noteFailedRestart: () => own.noteFailedRestart(),
      end: resolve,
      reload: () => own.reload(),
      routerLine: (app, message) => own.writeRouterLine(app, message),
    });
  });
  await Promise.race([stopped, ended]);
  await own.close();
  // All is closed: a timer that somebody has forgotten would hold up the process that waits for this one.
  process.exit(0);
}
