/** One app on this machine: its dynos, their lines on the way to the router, and the terminal that shows the stream. */

import { Shipper } from './apps/forwarder/shipper.ts';
import { AppDeployment } from './apps/host/app-deployment.ts';
import { defaultCounts } from './apps/processes/config/formation-counts.ts';
import type { ProcfileEntry } from './apps/processes/config/procfile.ts';
import type { PartialLineListener } from './apps/processes/dyno.ts';
import { reapOrphans } from './apps/processes/orphans.ts';
import { DynoPidFile } from './apps/processes/pid-file.ts';
import { APP_NAME_PATTERN } from './apps/records/app-registry.ts';
import type { Config } from './apps/records/release-record.ts';
import { TailraceError } from './common/errors.ts';
import { stripColors } from './common/text/colors.ts';
import { waitWithTimeout } from './common/wait-with-timeout.ts';
import type { Sequence } from './logs/store/contract.ts';
import { LineFilter } from './logs/syslog/line-filter.ts';
import { PLAIN_TEXT_ENCODINGS, STRING_ENCODING } from './logs/tails/output/encodings.ts';
import { TailSession, type TailSink } from './logs/tails/tail-session.ts';
import type { RunningServer } from './server.ts';

const ESCAPE = 0x1b;
/** Lines that are stored are shown within this time, or not any more. */
const SHOW_MS = 5_000;

export interface LocalAppOptions {
  readonly server: RunningServer;
  readonly name: string;
  readonly folder: string;
  /** Where the list of running dynos is kept. */
  readonly data: string;
  readonly entries: readonly ProcfileEntry[];
  readonly counts?: Readonly<Record<string, number>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly basePort?: number;
  readonly color: boolean;
  /** Takes the stream for the terminal: as it is, or line by line where colors are wanted. */
  readonly print: (text: Uint8Array | string) => void;
  readonly paint?: (line: string) => string;
  /** Sees lines that dynos have begun. */
  readonly onPartialLine?: PartialLineListener;
}

/** A running app. */
export interface LocalApp {
  /** Stops the dynos, and shows what they still say. */
  stop(): Promise<void>;
  /** Ends all dynos at once. */
  kill(): Promise<void>;
}

/** @throws TailraceError `invalid_params` when no app can be called like that. */
export function requireAppName(name: string): void {
  if (APP_NAME_PATTERN.test(name)) return;
  throw new TailraceError(
    'invalid_params',
    `"${name}" can't be an app's name: give one with --app (lowercase letters, digits and dashes).`,
  );
}

/** Starts an app's dynos, and shows its stream from here on. */
export async function startLocalApp(options: LocalAppOptions): Promise<LocalApp> {
  const { server, name, entries } = options;
  const app = (await server.appRegistry.findApp(name)) ?? (await server.appRegistry.createApp(name));
  await server.releases.createInitial(app.id, app.createdAt);
  const tokens = Object.fromEntries(
    (await server.appRegistry.listTokens(app.id)).map(({ source, token }) => [source, token]),
  );
  const orphans = await reapOrphans(options.data);
  for (const { name: dyno, pid } of orphans)
    server.log.warn({ dyno, pid }, 'ended a dyno that was left behind by a runner that died');

  const { reader, close } = server.readers.open(app.id);
  await reader.ready;
  const from = reader.positions.of(reader.newest);
  const range = { lines: 0, after: from, tail: true, filter: new LineFilter() };
  const { print, paint } = options;
  let shownUpTo = from;
  let onShown = (): void => {};
  const show: Show = (text, last) => {
    print(text);
    shownUpTo = last;
    onShown();
  };
  const session = paint
    ? new TailSession(reader, range, coloredSink(show, paint))
    : new TailSession(reader, range, plainSink(show));
  await session.start();
  /** Lines are stored first: the session may be behind. */
  const showStored = async (): Promise<void> => {
    const { last } = await server.store.bounds(app.id).catch(() => ({ last: reader.newest }));
    const shown = new Promise<void>((resolve) => {
      onShown = () => {
        if (shownUpTo >= reader.positions.of(last)) resolve();
      };
      onShown();
    });
    await waitWithTimeout(SHOW_MS, shown);
  };

  let changed = (): void => {};
  const shipper = new Shipper({
    url: server.url,
    key: server.ingestKey,
    tokens,
    onBackpressure: (full) => dynos.setPaused(full),
    onWarning: (message) => server.log.warn(message),
  });
  const dynos: AppDeployment = new AppDeployment({
    lines: shipper,
    ports: server.dynoManager.ports,
    pidFile: new DynoPidFile(options.data),
    basePort: options.basePort,
    color: options.color,
    drainConnections: server.dynoManager.drainConnections,
    onChange: () => changed(),
    onPartialLine: options.onPartialLine,
  });
  const applyLocalRelease = ({ version, config }: { version: number; config: Config }): Promise<void> => {
    const running = Object.fromEntries(dynos.processes().map(({ type, quantity }) => [type, quantity]));
    const defaults = options.counts ?? defaultCounts(entries.map(({ type }) => type));
    // Config vars that were set by command are stronger than the `.env` file.
    const env = { ...options.env, ...config };
    return dynos.apply({ version, entries, counts: { ...defaults, ...running }, env, cwd: options.folder });
  };
  changed = server.runningApps.add(
    { id: app.id, deployment: dynos, applyLocalRelease },
    await server.dynoManager.routingInfo(app),
  );
  // Who changed it meanwhile found nothing to tell.
  await server.dynoManager.updateRoute(app.id);
  const { version, config } = await server.releases.current(app.id);
  await applyLocalRelease({ version, config });

  return {
    async stop() {
      await dynos.stop();
      await shipper.close();
      await showStored();
      session.close();
      close();
    },
    kill: () => dynos.kill(),
  };
}

/** @param last the last line that is in it, or was before it */
type Show = (text: Uint8Array | string, last: Sequence) => void;

function coloredSink(show: Show, paint: (line: string) => string): TailSink<readonly string[]> {
  const write = (lines: readonly string[], last: Sequence): void =>
    show(`${lines.map(paint).join('\n')}\n`, last);
  return { encoding: STRING_ENCODING, write, canWrite: () => true, end: () => {} };
}

/** As bytes from the stream to the terminal: a dyno may say a great deal. */
function plainSink(show: Show): TailSink<Buffer> {
  const write = (lines: Buffer, last: Sequence): void =>
    show(lines.includes(ESCAPE) ? stripColors(lines.toString()) : lines, last);
  return { encoding: PLAIN_TEXT_ENCODINGS.text, write, canWrite: () => true, end: () => {} };
}
