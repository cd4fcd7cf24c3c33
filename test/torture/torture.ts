/**
 * Numbered lines on every durable way in and out, while everything between them is killed, frozen, cut off, filled up and lied to; afterwards
 * every promise is checked. The faults are a function of the seed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { libraryPath } from '../support/program.ts';
import { seededRandom } from '../support/properties/seeded-random.ts';
import { until } from '../support/until.ts';
import { Arrivals } from './check/arrivals.ts';
import {
  type CheckResult,
  check,
  type Delivery,
  type FaultRecord,
  type ReaderRecord,
} from './check/check.ts';
import { openDeployment, type StoreName } from './deployments/deployment.ts';
import { startArchive, startShip, startViewer } from './deployments/receivers.ts';
import { faultsOf, Names } from './faults/faults.ts';
import { buildFaultyDisk } from './faults/faulty-disk.ts';
import { Network } from './faults/network.ts';
import { planEach, planFaults, type ScheduledFault, wayOf } from './faults/schedule.ts';
import { HttpSink } from './readers/http-sink.ts';
import { Stalls } from './readers/stalls.ts';
import { SyslogSink } from './readers/syslog-sink.ts';
import { Tail } from './readers/tail.ts';
import { FollowedFile } from './senders/followed-file.ts';
import { type HttpForm, HttpSender } from './senders/http-sender.ts';
import { numberedIn, pause, type SentLines } from './senders/numbered.ts';
import { SyslogSender } from './senders/syslog-sender.ts';

export interface TortureOptions {
  readonly store: StoreName;
  readonly seconds: number;
  /** The same seed brings the same faults in the same order. */
  readonly seed: number;
  readonly routers: number;
  /** The longest pause of a sender between two requests. */
  readonly pauseMaxMs: number;
  readonly durability: 'process' | 'disk';
  /** Files of streams are damaged, too: lines are lost, and each has to be counted. */
  readonly damages?: boolean;
  /** Lines that the stream holds: with few of them readers lose some, and each has to be counted. */
  readonly streamLines?: number;
  /** Only faults whose names have one of these in them. */
  readonly only?: readonly string[];
  /** How many faults begin in a minute, on average; undefined: as each kind of fault says. */
  readonly faultsPerMinute?: number;
  /** Each kind of fault so many times, however long it takes; undefined: by chance, for so many seconds. */
  readonly each?: number;
  /** So many faults last at the same time, at the most. */
  readonly atOnce?: number;
  readonly log: (text: string) => void;
}

export interface TortureResult extends CheckResult {
  readonly faults: Readonly<Record<string, number>>;
  readonly schedule: readonly ScheduledFault[];
  /** How often this program had no processor for a while. */
  readonly stalls: number;
  readonly kills: number;
  /** From the end of the last fault until everything was delivered. */
  readonly backlogMs: number;
}

/** How long backlogs may take to be empty after the last fault. */
const BACKLOG_TIMEOUT_MS = 60_000;
/** All is well for so long before senders stop: nothing may come twice. */
const CALM_MS = 5_000;
/** What `process` may lose in a power cut: the last five seconds, and the time that a sync takes. */
const UNSYNCED_MS = 7_000;
const APP = 'torture';

const SENDERS: readonly { form: HttpForm; isNamed: boolean; givesUp?: boolean; gzip?: boolean }[] = [
  { form: 'logplex', isNamed: true },
  { form: 'logplex', isNamed: false },
  { form: 'logplex', isNamed: false, givesUp: true },
  { form: 'text', isNamed: true, gzip: true },
  { form: 'ndjson', isNamed: true },
  { form: 'json', isNamed: false },
  { form: 'otlp', isNamed: true },
];

/** Drains over HTTP, in forms that show the text of messages. */
const SINKS: Readonly<Record<string, Record<string, string>>> = {
  logplex: {},
  json: { format: 'json', compression: 'gzip' },
  otlp: { format: 'otlp-protobuf' },
  elasticsearch: { format: 'elasticsearch' },
};

interface DrainStatus {
  readonly url: string;
  readonly delivery: { readonly lagLines: number; readonly lost: number; readonly lastError?: string };
}

export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { store, seed, seconds, log, pauseMaxMs } = options;
  const work = mkdtempSync(join(tmpdir(), 'tailrace-torture-'));
  const closers: (() => unknown)[] = [() => rmSync(work, { recursive: true, force: true })];
  const cleanUp = async (): Promise<void> => {
    for (const close of closers.reverse()) await close();
  };
  try {
    return await run();
  } finally {
    await cleanUp();
  }

  async function run(): Promise<TortureResult> {
    const library = buildFaultyDisk();
    const names = new Names(join(work, 'hosts'));
    const deployment = await openDeployment({
      ...options,
      diskLibrary: library,
      env: { LD_PRELOAD: libraryPath('libnss_wrapper.so'), NSS_WRAPPER_HOSTS: names.file },
    });
    closers.push(() => deployment.remove());
    const [viewer, archive] = [await startViewer(library), await startArchive(library)];
    closers.push(
      () => viewer.remove(),
      () => archive.remove(),
    );

    const key = deployment.key();
    const api = async <T>(method: string, path: string, body?: object, timeoutMs = 15_000): Promise<T> => {
      const response = await fetch(deployment.routers[0].url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return JSON.parse(text) as T;
    };
    await api('POST', '/apps', { name: APP });
    const tokens = await api<{ token: string; source: string }[]>('GET', `/apps/${APP}/tokens`);
    const token = tokens.find(({ source }) => source === 'app')?.token ?? '';
    const { token: fileToken } = await api<{ token: string }>('POST', `/apps/${APP}/tokens`, {
      source: 'file',
    });

    // --- readers ---
    const stalls = new Stalls();
    closers.push(() => stalls.end());
    const drainNetworks: Network[] = [];
    const addDrain = async (
      scheme: string,
      port: number,
      rest: string,
      own: object = {},
    ): Promise<Network> => {
      const network = await Network.open(() => port, ['127.0.0.1', '127.0.0.2']);
      closers.push(() => network.close());
      network.leadOnlyTo('127.0.0.1');
      drainNetworks.push(network);
      const [credentials, path] = rest.split(' ');
      const url = `${scheme}://${credentials}drain.torture:${network.port}${path}`;
      await api('POST', `/apps/${APP}/log-drains`, { url, options: own });
      return network;
    };
    const sinks: HttpSink[] = [];
    for (const [name, own] of Object.entries(SINKS)) {
      const sink = await new HttpSink(`drain ${name}`).open();
      closers.push(() => sink.close());
      sinks.push(sink);
      await addDrain('http', sink.port, ' ', own);
    }
    const syslogSink = await new SyslogSink('drain syslog').open();
    closers.push(() => syslogSink.close());
    await addDrain('syslog', syslogSink.port, ' ');
    await addDrain('http', viewer.port, `token:${viewer.token}@ /logs?stream=torture`);
    await addDrain('http', archive.port, ' /logs');
    const endpoints = deployment.routers.map(({ http }) => `http://127.0.0.1:${http.port}`);
    const random = (of: number): (() => number) => seededRandom(seed * 1_000 + of);
    const tails = (['websocket', 'events'] as const).map(
      (way, i) => new Tail(way, endpoints, { app: APP, key, random: random(900 + i) }),
    );
    closers.push(() => Promise.all(tails.map((tail) => tail.stop())));

    // --- senders ---
    const file = new FollowedFile('f', { pauseMaxMs, random: random(100) });
    closers.push(async () => {
      await file.stop();
      file.remove();
    });
    const ship = await startShip(file, () => endpoints[0], fileToken);
    closers.push(() => ship.end('SIGKILL'));
    const httpSenders = SENDERS.map(
      (one, i) => new HttpSender({ name: `p${i}`, token, endpoints, pauseMaxMs, random: random(i), ...one }),
    );
    const ports = deployment.routers.map(({ syslog }) => syslog.port);
    const syslogSender = new SyslogSender('s', token, ports, { pauseMaxMs, random: random(200) });
    const stopSenders = async (): Promise<void> => {
      await Promise.all([...httpSenders, syslogSender, file].map((sender) => sender.stop()));
    };
    closers.push(stopSenders);
    const senders = (): SentLines[] => [
      ...httpSenders.map(({ sent }) => sent),
      ...syslogSender.sent,
      file.sent,
    ];

    // --- faults ---
    const all = faultsOf({
      deployment,
      viewer,
      archive,
      ship,
      sinks,
      syslogSink,
      drainNetworks,
      names,
      damages: options.damages ?? false,
    });
    const faults = all.filter(
      ({ name }) => !options.only || options.only.some((part) => name.includes(part)),
    );
    if (faults.length === 0)
      throw new Error(
        `--only ${options.only} names none of these: ${all.map(({ name }) => name).join('; ')}`,
      );
    const { each, atOnce = 3, faultsPerMinute } = options;
    const schedule =
      each === undefined
        ? planFaults(seed, seconds * 1_000, faults, faultsPerMinute)
        : planEach(seed, each, faults, faultsPerMinute ?? 60);
    const records: FaultRecord[] = [];
    const counts: Record<string, number> = {};
    const powerCutsMs: number[] = [];
    const programs = [
      ...deployment.routers.map(({ program }) => program),
      viewer.program,
      archive.program,
      ship,
    ];
    const crashes = new Set<string>();
    const lookForCrashes = async (): Promise<void> => {
      for (const program of programs) {
        const { crash } = program;
        if (crash === undefined) continue;
        crashes.add(crash);
        log(crash);
        await program.start();
      }
    };
    const beganMs = Date.now();
    const running = new Set<Promise<void>>();
    for (const fault of schedule) {
      const waitMs = beganMs + fault.atMs - Date.now();
      if (waitMs > 0) await pause(waitMs);
      await lookForCrashes();
      const kind = faults.find(({ name }) => name === fault.name);
      if (!kind) continue;
      const counted = kind.ways ? `${kind.name}: ${wayOf(fault.dice, kind.ways)}` : kind.name;
      counts[counted] = (counts[counted] ?? 0) + 1;
      const fromMs = Date.now();
      const run = async (): Promise<void> => {
        // A server that doesn't fail over, say, is no fault of ours; what follows from it is looked at.
        const what = await kind.run(fault).catch(String);
        records.push({ name: fault.name, fromMs, toMs: Date.now() });
        if (fault.name.startsWith('power ') && what.startsWith('router')) powerCutsMs.push(fromMs);
        log(`${fault.name}${what === '' ? '' : ` (${what})`}, ${Date.now() - fromMs} ms`);
      };
      const done = run();
      running.add(done);
      void done.finally(() => running.delete(done));
      while (running.size >= atOnce) await Promise.race(running);
    }
    await Promise.all(running);
    await lookForCrashes();
    const lastMs = Date.now();
    log('no more faults: everything has to arrive now');

    // --- all is well ---
    const mayLoseCounted = options.damages === true || options.streamLines !== undefined;
    const syslogNetwork = drainNetworks[sinks.length];
    const silences = (): FaultRecord[] => [...syslogNetwork.silences, ...stalls.records];
    const readerRecords: Pick<ReaderRecord, 'deliveries' | 'silences'>[] = [
      ...sinks,
      {
        deliveries: syslogSink.deliveries,
        get silences() {
          return silences();
        },
      },
      ...tails,
    ];
    const mayBeLost = (): ((atMs: number) => boolean) => {
      if (options.durability === 'disk' || store !== 'embedded') return () => false;
      return (atMs) => powerCutsMs.some((cutMs) => atMs > cutMs - UNSYNCED_MS && atMs <= cutMs + 1_000);
    };
    const mayLose = mayBeLost();
    const arrivals = readerRecords.map(
      (reader) =>
        new Arrivals(
          reader,
          senders(),
          ({ atMs, isSilenced }) => atMs <= lastMs && !isSilenced && !mayLose(atMs),
        ),
    );
    const owed = (): number => arrivals.reduce((sum, one) => sum + one.owed(), 0);
    const violations: string[] = [];
    const drains = (): Promise<DrainStatus[]> => api('GET', `/apps/${APP}/log-drains`);
    const arrive = async (what: string): Promise<void> => {
      await until(what, () => mayLoseCounted || owed() === 0, BACKLOG_TIMEOUT_MS).catch(async () => {
        violations.push(`${what}: ${owed()} lines are still owed after ${BACKLOG_TIMEOUT_MS / 1_000} s`);
      });
      await until(
        'no drain lags',
        async () => (await drains().catch(() => [])).some(({ delivery }) => delivery.lagLines < 500),
        BACKLOG_TIMEOUT_MS,
      ).catch(() => violations.push('no drain catches up'));
    };
    await arrive('everything that was acknowledged before the last fault');
    const backlogMs = Date.now() - lastMs;
    log(`backlogs are empty after ${backlogMs} ms`);
    syslogSender.calm();
    // What was on its way when a drain had lost a connection may come again for a second.
    await pause(2_000);
    const calmFromMs = Date.now();
    await pause(CALM_MS);
    await stopSenders();
    log('senders have stopped');
    await until(
      'every drain to be up to date',
      async () => {
        const all = await drains().catch(() => undefined);
        return all?.every(({ delivery }) => delivery.lagLines === 0);
      },
      BACKLOG_TIMEOUT_MS,
    ).catch(async (error: unknown) => {
      violations.push(
        `${String(error)}: ${JSON.stringify((await drains()).map(({ url, delivery }) => [url, delivery]))}`,
      );
    });
    await until(
      'all tails',
      () => tails.every((tail) => tail.deliveries.length >= tails[0].deliveries.length),
      10_000,
    ).catch(() => {});
    await pause(1_500);
    await lookForCrashes();
    violations.push(...crashes, ...programs.flatMap(({ hangs }) => hangs));

    // --- what is where ---
    const stored = await readStream(`${deployment.routers[0].url}/apps/${APP}/logs?lines=100000000`, key);
    const atMs = Date.now();
    const asDeliveries = (numbers: readonly [string, number][]): Delivery[] =>
      numbers.map(([sender, number]) => ({ sender, number, atMs }));
    const statuses = await drains();
    const lostOf = (network: Network): number =>
      statuses.find(({ url }) => url.includes(`:${network.port}`))?.delivery.lost ?? 0;
    const inViewer = await viewer.numbers();
    // The viewer's search is by the lines' times: senders' clocks, and those of routers that jump.
    inViewer.sort(([a, i], [b, k]) => (a === b ? i - k : a < b ? -1 : 1));
    const readers: ReaderRecord[] = [
      ...(options.streamLines
        ? []
        : [
            {
              name: 'stream',
              deliveries: asDeliveries(stored.numbers),
              lost: stored.lost,
              isExactlyOnce: true,
            },
          ]),
      ...[...sinks, syslogSink].map(({ name, deliveries }, i) => ({
        name,
        deliveries,
        lost: lostOf(drainNetworks[i]),
        isExactlyOnce: false,
        ...(drainNetworks[i] === syslogNetwork ? { silences: silences() } : {}),
      })),
      {
        name: 'viewer',
        deliveries: asDeliveries(inViewer),
        lost: lostOf(drainNetworks[drainNetworks.length - 2]),
        isExactlyOnce: true,
      },
      {
        name: 'archive',
        deliveries: asDeliveries(archive.numbers()),
        lost: lostOf(drainNetworks[drainNetworks.length - 1]),
        isExactlyOnce: true,
      },
      ...tails.map(({ name, deliveries, lost }) => ({ name, deliveries, lost, isExactlyOnce: true })),
    ];
    const failovers = deployment.redis?.failOver
      ? records.filter(({ name }) => name.startsWith('Redis '))
      : [];
    const result = check({
      senders: senders(),
      // The stream and tails need no cursor.
      readers: readers.map((reader) =>
        reader.name === 'viewer' || reader.name === 'archive' ? { ...reader, failovers } : reader,
      ),
      faults: records,
      calmFromMs,
      mayBeLost: mayBeLost(),
      mayLoseCounted,
    });
    violations.push(...result.violations, ...sinks.flatMap((sink) => sink.violations));
    violations.push(...httpSenders.flatMap((sender) => sender.violations.slice(0, 3)));
    violations.push(...tails.flatMap((tail) => tail.violations), ...viewer.alerts.violations);
    const told = (): number => [...viewer.alerts.counts.values()].reduce((sum, count) => sum + count, 0);
    const matches = await viewer.matches();
    await until('alerts', () => told() >= matches, BACKLOG_TIMEOUT_MS).catch(() => {});
    if (told() !== matches)
      violations.push(`the alert told of ${told()} matches, and the viewer has ${matches}`);
    if (violations.length > 0) for (const program of programs) log(`${program.name}:\n${program.output}`);
    return {
      ...result,
      violations,
      faults: counts,
      schedule,
      stalls: stalls.records.length,
      kills: programs.reduce((sum, { kills }) => sum + kills, 0),
      backlogMs,
    };
  }
}

/** All that a stream holds. */
async function readStream(url: string, key: string): Promise<{ numbers: [string, number][]; lost: number }> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
  if (!response.ok) throw new Error(`the stream can't be read: ${response.status}`);
  const text = await response.text();
  const lost = [...text.matchAll(/Error L16 .*? \((\d+)\) of this stream/g)];
  return { numbers: numberedIn(text), lost: lost.reduce((sum, [, count]) => sum + Number(count), 0) };
}
