import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parseEnvFile } from '../../apps/processes/config/env-file.ts';
import { parseFormation } from '../../apps/processes/config/formation-counts.ts';
import { type ProcfileEntry, parseProcfile } from '../../apps/processes/config/procfile.ts';
import { readSettings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import type { RunningServer } from '../../server.ts';
import type { LocalApp } from '../../start-local-app.ts';
import { appNameFromFolder } from '../api-client.ts';
import { startBanner } from '../banner.ts';
import { Colorizer, wantsColor } from '../colorizer.ts';
import { waitForShutdown } from '../signals.ts';

interface StartOptions {
  dir?: string;
  procfile?: string;
  env?: string;
  formation?: string;
  port?: number;
  app?: string;
  color?: boolean;
}

/** `tailrace start [types…]`: runs the Procfile here, with everything else in the same process. */
export function startCommand(program: Command): void {
  program
    .command('start [types...]')
    .alias('local')
    .description(
      'run the Procfile of this folder, with router, store, API and HTTP router in the same process',
    )
    .option('-f, --procfile <file>', 'the Procfile (default: Procfile)')
    .option('-e, --env <file>', 'file with config vars (default: .env, if there is one)')
    .option('-m, --formation <list>', 'how many dynos of each type: web=2,worker=1')
    .option('-p, --port <port>', 'first port for web dynos (default: 5000)', parsePort)
    .option('-d, --dir <folder>', 'the folder of the app (default: this one)')
    .option('-a, --app <name>', "the app's name (default: the folder's)")
    .option('--no-color', 'no colors')
    .action(runStart);
}

async function runStart(types: string[], options: StartOptions): Promise<void> {
  const procfile = resolve(options.dir ?? '.', options.procfile ?? 'Procfile');
  const folder = options.dir ? resolve(options.dir) : dirname(procfile);
  const entries = selectEntries(loadProcfile(procfile), types);
  const names = entries.map(({ type }) => type);
  const counts = options.formation ? parseFormation(options.formation, names) : undefined;
  const config = loadEnvFile(folder, options.env);
  const settings = readSettings(process.env, {
    data: join(folder, '.tailrace'),
    allowPrivateDrains: 'yes',
    dynoMemory: 'none',
  });
  const name = options.app ?? appNameFromFolder(folder);
  // Before the start: a Ctrl-C while dynos are starting must not leave them behind.
  let app: LocalApp | undefined;
  let server: RunningServer | undefined;
  const stopped = waitForShutdown(async () => {
    await Promise.all([app?.kill(), server?.dynoManager.kill()]);
  });
  // Loaded here, so that every other command starts without a server's weight.
  const [{ startServer }, { requireAppName, startLocalApp }, { createLogger }] = await Promise.all([
    import('../../server.ts'),
    import('../../start-local-app.ts'),
    import('../../common/logger.ts'),
  ]);
  requireAppName(name);
  const runningServer = await startServer(
    settings,
    createLogger({ level: settings.logLevel, format: 'text' }),
    true,
  );
  server = runningServer;
  const color = wantsColor(process.stdout, options.color);
  const colorizer = new Colorizer(color);
  process.stdout.write(startBanner({ name, server, folder, private: settings.allowPrivateDrains }));
  app = await startLocalApp({
    server,
    name,
    folder,
    data: settings.data,
    entries,
    counts,
    env: { ...process.env, ...config },
    basePort: options.port,
    color,
    print: (text) => process.stdout.write(text),
    paint: color ? (line) => colorizer.colorizeLine(line) : undefined,
  }).catch(async (error: unknown) => {
    await runningServer.close();
    runningServer.dataFolder.removeIfNew();
    throw error;
  });
  runningServer.store.onServerStarted();
  await stopped;
  await app.stop();
  await server.close();
}

function loadProcfile(file: string): ProcfileEntry[] {
  if (!existsSync(file) || !statSync(file).isFile())
    throw new TailraceError(
      'not_found',
      `There is no ${basename(file)} in ${dirname(file)}: write one with a line for each process type, such as "web: node server.js", or name another with -f.`,
    );
  return parseProcfile(readFileSync(file, 'utf8'));
}

function selectEntries(entries: ProcfileEntry[], types: readonly string[]): ProcfileEntry[] {
  if (types.length === 0) return entries;
  const known = entries.map(({ type }) => type);
  for (const type of types)
    if (!known.includes(type))
      throw new TailraceError(
        'not_found',
        `The Procfile has no process type "${type}"; it has: ${known.join(', ')}.`,
      );
  return entries.filter(({ type }) => types.includes(type));
}

function loadEnvFile(folder: string, given: string | undefined): Record<string, string> {
  const file = resolve(given ?? join(folder, '.env'));
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return parseEnvFile(readFileSync(file, 'utf8'));
  if (given) throw new TailraceError('not_found', `There is no ${given}: name an existing file with -e.`);
  return {};
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_000)
    throw new InvalidArgumentError('It must be a port from 1 to 65000.');
  return port;
}
