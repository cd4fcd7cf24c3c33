/** One app on this machine: its dynos, their lines on the way to the router, and the terminal that shows the stream. */

import { Shipper } from './apps/forwarder/shipper.ts';
import { HostedApp } from './apps/host/hosted-app.ts';
import { defaultCounts } from './apps/processes/config/formation-text.ts';
import type { ProcfileEntry } from './apps/processes/config/procfile.ts';
import { DynoLedger } from './apps/processes/dyno-ledger.ts';
import { reapOrphans } from './apps/processes/orphans.ts';
import { APP_NAME } from './apps/records/directory.ts';
import type { Config } from './apps/records/release-history.ts';
import { TailraceError } from './common/errors.ts';
import { Filter } from './logs/tails/filter.ts';
import { stripColours } from './logs/tails/output/sanitize.ts';
import { PLAIN, TEXTS } from './logs/tails/output/wire.ts';
import { TailSession, type TailSink } from './logs/tails/session.ts';
import type { Server } from './main.ts';

const ESCAPE = 0x1b;

export interface AppOptions {
  readonly server: Server;
  readonly name: string;
  readonly folder: string;
  /** Where the list of running dynos is kept. */
  readonly data: string;
  readonly entries: readonly ProcfileEntry[];
  readonly counts?: Readonly<Record<string, number>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly basePort?: number;
  readonly color: boolean;
  /** Takes the stream for the terminal: as it is, or line by line where colours are wanted. */
  readonly print: (text: Uint8Array | string) => void;
  readonly paint?: (line: string) => string;
}

/** A running app. */
export interface RunningApp {
  /** Stops the dynos, and shows what they still say. */
  stop(): Promise<void>;
  /** Ends all dynos at once. */
  kill(): Promise<void>;
}

/** @throws TailraceError `invalid_params` when no app can be called like that. */
export function requireAppName(name: string): void {
  if (APP_NAME.test(name)) return;
  throw new TailraceError(
    'invalid_params',
    `"${name}" can't be an app's name: give one with --app (lowercase letters, digits and dashes).`,
  );
}

/** Starts an app's dynos, and shows its stream from here on. */
export async function startApp(options: AppOptions): Promise<RunningApp> {
  const { server, name, entries } = options;
  const app = (await server.directory.findApp(name)) ?? (await server.directory.createApp(name));
  await server.releases.begin(app.id, app.createdAt);
  const tokens = Object.fromEntries(
    (await server.directory.tokens(app.id)).map(({ source, token }) => [source, token]),
  );
  const orphans = await reapOrphans(options.data);
  for (const { name: dyno, pid } of orphans)
    server.log.warn({ dyno, pid }, 'ended a dyno that was left behind by a runner that died');

  const { reader, close } = server.readers.open(app.id);
  await reader.ready;
  const range = { lines: 0, after: reader.newest, tail: true, filter: new Filter() };
  const { print, paint } = options;
  const session = paint
    ? new TailSession(reader, range, coloured(print, paint))
    : new TailSession(reader, range, plain(print));
  await session.start();

  let changed = (): void => {};
  const shipper = new Shipper({
    url: server.url,
    key: server.key,
    tokens,
    onPressure: (full) => dynos.hold(full),
    onTrouble: (message) => server.log.warn(message),
  });
  const dynos: HostedApp = new HostedApp({
    lines: shipper,
    ports: server.host.ports,
    ledger: new DynoLedger(options.data),
    basePort: options.basePort,
    color: options.color,
    overlap: false,
    drain: server.host.drain,
    onChange: () => changed(),
  });
  const inPlace = ({ version, config }: { version: number; config: Config }): Promise<void> => {
    const running = Object.fromEntries(dynos.processes().map(({ type, quantity }) => [type, quantity]));
    const usual = options.counts ?? defaultCounts(entries.map(({ type }) => type));
    // Config vars that were set by command are stronger than the `.env` file.
    const env = { ...options.env, ...config };
    return dynos.apply({ version, entries, counts: { ...usual, ...running }, env, cwd: options.folder });
  };
  changed = server.hosting.add({ id: app.id, app: dynos, inPlace }, await server.host.face(app));
  const { version, config } = await server.releases.current(app.id);
  await inPlace({ version, config });

  return {
    async stop() {
      await dynos.stop();
      await shipper.close();
      session.close();
      close();
    },
    kill: () => dynos.kill(),
  };
}

type Print = AppOptions['print'];

function coloured(print: Print, paint: (line: string) => string): TailSink<readonly string[]> {
  const take = (lines: readonly string[]): void => print(`${lines.map(paint).join('\n')}\n`);
  return { wire: TEXTS, take, ready: () => true, end: () => {} };
}

/** As bytes from the stream to the terminal: a dyno may say a great deal. */
function plain(print: Print): TailSink<Buffer> {
  const take = (lines: Buffer): void =>
    print(lines.includes(ESCAPE) ? stripColours(lines.toString()) : lines);
  return { wire: PLAIN.text, take, ready: () => true, end: () => {} };
}
