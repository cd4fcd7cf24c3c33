import { dirname, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseFormation } from '../../apps/processes/config/formation-counts.ts';
import { readSettings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import type { RunningServer } from '../../server.ts';
import type { LocalApp } from '../../start-local-app.ts';
import { appNameFromFolder } from '../api-client.ts';
import { startBanner } from '../banner.ts';
import { Colorizer, wantsColor } from '../colorizer.ts';
import { collectValues } from '../repeated-option.ts';
import { waitForShutdown } from '../signals.ts';
import { addPortOptions, type PortOptions, withFreePorts, withPortOptions } from './choose-ports.ts';
import { PartialLines } from './partial-lines.ts';
import { loadEnvFiles, loadForemanOptions, loadProcfile, selectEntries } from './start-files.ts';

interface StartOptions extends PortOptions {
  dir?: string;
  procfile?: string;
  env?: string[];
  formation?: string;
  concurrency?: string;
  port?: number;
  app?: string;
  color?: boolean;
}

/** `tailrace start [types…]`: runs the Procfile here, with everything else in the same process. */
export function startCommand(program: Command): void {
  addPortOptions(program.command('start [types...]'))
    .aliases(['local', 'local:start'])
    .description(
      'run the Procfile of this folder, with router, store, API and HTTP router in the same process',
    )
    .option('-f, --procfile <file>', 'the Procfile (default: Procfile)')
    .option(
      '-e, --env <file>',
      'file with config vars; several with commas, or by several -e (default: .env, if there is one)',
      collectValues,
    )
    .option('-m, --formation <list>', 'how many dynos of each type: web=2,worker=1')
    .addOption(new Option('-c, --concurrency <list>', 'the same as --formation').hideHelp())
    .option(
      '-p, --port <port>',
      'first port for web dynos (default: PORT of .env or the environment, else 5000)',
      parsePort,
    )
    .option('-d, --dir <folder>', 'the folder of the app (default: this one)')
    .option('-a, --app <name>', "the app's name (default: the folder's)")
    .option('--no-color', 'no colors')
    .action(runStart);
}

async function runStart(types: string[], options: StartOptions): Promise<void> {
  const foreman = loadForemanOptions(options.dir ?? '.');
  const root = options.dir ?? foreman.root;
  const procfile = resolve(root ?? '.', options.procfile ?? foreman.procfile ?? 'Procfile');
  const folder = root ? resolve(root) : dirname(procfile);
  const entries = selectEntries(loadProcfile(procfile), types);
  const names = entries.map(({ type }) => type);
  const formation = options.formation ?? options.concurrency ?? foreman.formation;
  const counts = formation ? parseFormation(formation, names) : undefined;
  const config = loadEnvFiles(folder, options.env ?? (foreman.env === undefined ? undefined : [foreman.env]));
  const basePort = options.port ?? firstPort(foreman.port ?? config.PORT ?? process.env.PORT);
  const environment = withPortOptions(process.env, options);
  const wanted = readSettings(environment, {
    data: join(folder, '.tailrace'),
    allowPrivateDrains: 'yes',
    dynoMemory: 'none',
  });
  const name = options.app ?? appNameFromFolder(folder);
  // Before the start: a Ctrl-C while dynos are starting must not leave them behind.
  let app: LocalApp | undefined;
  let server: RunningServer | undefined;
  const stopped = waitForShutdown(
    async () => {
      await Promise.all([app?.kill(), server?.dynoManager.kill()]);
    },
    () => server?.reload(),
  );
  // Loaded here, so that every other command starts without a server's weight.
  const [{ startServer }, { requireAppName, startLocalApp }, { createLogger }] = await Promise.all([
    import('../../server.ts'),
    import('../../start-local-app.ts'),
    import('../../common/logger.ts'),
  ]);
  requireAppName(name);
  const { settings, runningServer } = await withFreePorts(wanted, environment, async (settings) => {
    const log = createLogger({ level: settings.logLevel, format: 'text' });
    return { settings, runningServer: await startServer(settings, log, true) };
  });
  server = runningServer;
  const color = wantsColor(process.stdout, options.color);
  const colorizer = new Colorizer(color);
  process.stdout.write(startBanner({ name, server, folder, private: settings.allowPrivateDrains }));
  const paint = color ? (line: string) => colorizer.colorizeLine(line) : undefined;
  const { stdout } = process;
  const partials = stdout.isTTY
    ? new PartialLines({ write: (text) => stdout.write(text), columns: () => stdout.columns, paint })
    : undefined;
  app = await startLocalApp({
    server,
    name,
    folder,
    data: settings.data,
    entries,
    counts,
    env: { ...process.env, ...config },
    basePort,
    color,
    print: partials ? (text) => partials.print(text) : (text) => process.stdout.write(text),
    onPartialLine: partials && ((dyno, line) => partials.set(dyno, line)),
    paint,
  }).catch(async (error: unknown) => {
    await runningServer.close();
    runningServer.dataFolder.removeIfNew();
    throw error;
  });
  runningServer.store.onServerStarted();
  await stopped;
  await app.stop();
  partials?.end();
  await server.close();
}

/** The first port, as foreman finds it; what is no port says so. */
function firstPort(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_000) return Number(text);
  throw new TailraceError('invalid_params', `PORT is "${text}": it must be a port from 1 to 65000.`);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_000)
    throw new InvalidArgumentError('It must be a port from 1 to 65000.');
  return port;
}
