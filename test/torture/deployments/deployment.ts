/** The routers that are tortured, on one of the stores, behind a network that may fail. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { TAILRACE } from '../../support/program.ts';
import { RedisCluster, RedisSentinels } from '../../support/redis/redis-deployments.ts';
import { RedisServer } from '../../support/redis/redis-server.ts';
import { FaultyDisk } from '../faults/faulty-disk.ts';
import { Network } from '../faults/network.ts';
import { RestartableProgram } from '../processes/restartable.ts';

export const STORES = ['embedded', 'redis', 'sentinel', 'cluster'] as const;
export type StoreName = (typeof STORES)[number];

export interface Router {
  readonly program: RestartableProgram;
  /** Past the network. */
  readonly url: string;
  /** What clients come through. */
  readonly http: Network;
  readonly syslog: Network;
  readonly data: string;
  /** Of the embedded store. */
  readonly disk: FaultyDisk | undefined;
  readonly clock: FakeClock | undefined;
}

/** A Redis, however many there are of it. */
export interface RedisFaults {
  /** Of a Redis that is alone, or any one of several. */
  readonly servers: readonly RedisServer[];
  /** Between routers and a Redis that is alone. */
  readonly network: Network | undefined;
  /** Kills a master, and waits until another server has its place. */
  readonly failOver: (() => Promise<void>) | undefined;
  readonly master: () => Promise<RedisServer>;
}

export interface Deployment {
  readonly routers: readonly Router[];
  readonly redis: RedisFaults | undefined;
  readonly key: () => string;
  remove(): Promise<void>;
}

export interface DeploymentOptions {
  readonly store: StoreName;
  readonly routers: number;
  readonly durability: 'process' | 'disk';
  readonly diskLibrary: string | undefined;
  readonly streamLines?: number;
  /** Of all programs. */
  readonly env: Readonly<Record<string, string>>;
}

const DISK_MB = 512;

export async function openDeployment(options: DeploymentOptions): Promise<Deployment> {
  const { store, streamLines } = options;
  const redis = store === 'embedded' ? undefined : await openRedis(store);
  const routers: Router[] = [];
  for (let i = 0; i < (redis ? options.routers : 1); i++) routers.push(await openRouter(i));
  await Promise.all(routers.map(({ program }) => program.start()));
  for (const { disk, program } of routers) disk?.assertSeesSyncs(program.name);
  return {
    routers,
    redis: redis?.faults,
    key: () => readFileSync(join(routers[0].data, 'key'), 'utf8').trim(),
    async remove() {
      await Promise.all(routers.map(({ program }) => program.end('SIGKILL')));
      for (const { http, syslog, disk, clock, data } of routers) {
        await Promise.all([http.close(), syslog.close()]);
        disk?.remove();
        clock?.remove();
        rmSync(data, { recursive: true, force: true });
      }
      await redis?.remove();
    },
  };

  async function openRouter(i: number): Promise<Router> {
    const disk = redis ? undefined : new FaultyDisk(options.diskLibrary, DISK_MB);
    const data = disk?.folder ?? mkdtempSync(join(tmpdir(), 'tailrace-torture-'));
    const [port, syslogPort] = [await freePort(), await freePort()];
    const clock = new FakeClock();
    const env = (): Record<string, string> => ({
      TAILRACE_DATA: data,
      TAILRACE_HTTP_PORT: String(port),
      TAILRACE_SYSLOG_PORT: String(syslogPort),
      TAILRACE_ROUTER_PORT: '0',
      TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
      TAILRACE_STREAM_BYTES: streamLines ? '1MB' : '10GB',
      TAILRACE_STREAM_LINES: String(streamLines ?? 50_000_000),
      ...(redis ? redis.env : { TAILRACE_DURABILITY: options.durability }),
      ...preload(options.env, disk?.env ?? {}, clock.env),
    });
    const program = new RestartableProgram({
      name: `router ${i}`,
      args: [TAILRACE, 'serve'],
      env,
      ready: /serves on (\S+)/,
    });
    const [http, syslog] = [await Network.open(() => port), await Network.open(() => syslogPort)];
    return { program, url: `http://127.0.0.1:${port}`, http, syslog, data, disk, clock };
  }
}

/** Several libraries may want to be loaded first. The clock's come last: among them is the C library, behind which no call is seen. */
function preload(...all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const libraries = all.flatMap(({ LD_PRELOAD }) => LD_PRELOAD?.split(' ') ?? []);
  return {
    ...Object.assign({}, ...all),
    ...(libraries.length > 0 ? { LD_PRELOAD: libraries.join(' ') } : {}),
  };
}

interface OpenRedis {
  readonly env: Readonly<Record<string, string>>;
  readonly faults: RedisFaults;
  remove(): Promise<void>;
}

/** As docs/redis.md says that it has to be set for what is promised. */
const DURABLE = ['appendonly yes', 'appendfsync always'];
const WAIT = { REDIS_WAIT: '1' };

async function openRedis(store: Exclude<StoreName, 'embedded'>): Promise<OpenRedis> {
  if (store === 'redis') {
    const server = await RedisServer.start({ config: DURABLE });
    const network = await Network.open(() => server.port);
    return {
      env: { REDIS_URL: `redis://127.0.0.1:${network.port}` },
      faults: { servers: [server], network, failOver: undefined, master: async () => server },
      async remove() {
        await network.close();
        await server.remove();
      },
    };
  }
  if (store === 'sentinel') {
    const all = await RedisSentinels.start(DURABLE);
    return {
      env: { REDIS_URL: all.url, ...WAIT },
      faults: {
        servers: all.servers,
        network: undefined,
        failOver: () => all.failOver(),
        master: () => all.master(),
      },
      remove: () => all.remove(),
    };
  }
  const all = await RedisCluster.start(DURABLE, 1);
  let turn = 0;
  const someKey = (): string => ['{platform}', 'a', 'b', 'c'][turn++ % 4];
  return {
    env: { REDIS_URL: all.url, ...WAIT },
    faults: {
      servers: all.servers,
      network: undefined,
      failOver: () => all.failOver(someKey()),
      master: () => all.masterOf(someKey()),
    },
    remove: () => all.remove(),
  };
}
