/**
 * A drain's lease is lost, or may be, because a router or Redis stood still or failed over. What was on its way is sent again, once for
 * each change of the lease, and nothing else: not by the router that had the drain before, and not forever. Then everything goes on.
 */
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { streamKeys } from '../../../src/logs/store/redis/keys.ts';
import { HttpReceiver, startHttpReceiver, TcpReceiver } from '../../support/receivers/receivers.ts';
import { RedisCluster, RedisSentinels } from '../../support/redis/redis-deployments.ts';
import { hasRedis, makeCertificate, RedisServer } from '../../support/redis/redis-server.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServerForTest, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** Longer than a drain's lease, and than the time after which a router is taken for dead. */
const PAUSE_MS = 8_000;
const LINES_PER_REQUEST = 10;
/** Often enough that something is on its way to each drain whatever happens. */
const PUSH_PAUSE_MS = 50;
/**
 * Of a syslog drain everything that was sent in the last second is unconfirmed, and the cursor is written four times a second. Twice
 * that: the test's own clock is a busy machine's.
 */
const UNCONFIRMED_MS = 2_500;
/** How long a drain may stand still when the store takes lines again. */
const RECOVERY_MS = 5_000;
/** A router that is told to stop waits for what is on its way for three seconds, more than once. */
const END_MS = 10_000;

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { key, certificate } = makeCertificate(folder);
const TLS = { key: readFileSync(key), cert: readFileSync(certificate) };

interface Destination {
  readonly name: string;
  readonly url: string;
  readonly receiver: HttpReceiver | TcpReceiver;
}

/** One destination of each protocol. */
async function startDestinations(): Promise<Destination[]> {
  const destinations = [
    { name: 'syslog', receiver: new TcpReceiver() },
    { name: 'syslog+tls', receiver: new TcpReceiver(TLS) },
    { name: 'http', receiver: new HttpReceiver() },
    { name: 'https', receiver: new HttpReceiver(TLS) },
  ];
  for (const { receiver } of destinations) {
    await receiver.listen();
    onTestFinished(() => receiver.close());
  }
  return destinations.map(({ name, receiver }) => ({ name, receiver, url: `${receiver.url}#insecure` }));
}

/** The test's own lines; there are others, about drains. */
function linesOf({ receiver }: Destination): string[] {
  const messages = receiver instanceof HttpReceiver ? receiver.acceptedMessages() : receiver.messages();
  return messages.filter(isOurs);
}

const isOurs = (message: string): boolean => message.startsWith('line ');

/** Pushes numbered lines all the time; what isn't acknowledged may be stored or not, and isn't pushed again. */
class Producer {
  next = 0;
  private acknowledged = 0;
  private busyMs = 0;
  private running = true;
  private readonly finished: Promise<void>;

  constructor(target: () => Server, app: App) {
    this.finished = this.run(target, app);
  }

  get linesPerMs(): number {
    return this.acknowledged / this.busyMs;
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.finished;
  }

  private async run(target: () => Server, app: App): Promise<void> {
    while (this.running) {
      const beganMs = performance.now();
      const lines = numberedMessages(LINES_PER_REQUEST, 'line', this.next);
      this.next += LINES_PER_REQUEST;
      const isStored = await pushLines(target(), app.token, lines).then(
        () => true,
        () => false,
      );
      await new Promise((resolve) => setTimeout(resolve, PUSH_PAUSE_MS));
      if (!isStored) continue;
      this.acknowledged += LINES_PER_REQUEST;
      this.busyMs += performance.now() - beganMs;
    }
  }
}

/** The lines that came more often than they are stored, and how many times more. */
function repeats(received: readonly string[], stored: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of stored) counts.set(line, -1);
  for (const line of received) counts.set(line, (counts.get(line) ?? -1) + 1);
  return new Map([...counts].filter(([, count]) => count > 0));
}

/** Connections on which lines came; others only probed whether anybody listens. */
function usedConnections({ connections }: TcpReceiver): number {
  return connections.filter(({ text }) => text !== '').length;
}

/** Some routers, a drain of each protocol, and lines that come all the time. */
class Scene {
  readonly routers: Server[];
  readonly app: App;
  readonly destinations: Destination[];
  private readonly producer: Producer;
  private readonly connectionsBefore = new Map<Destination, number>();
  private target: Server;

  private constructor(routers: Server[], app: App, destinations: Destination[]) {
    this.routers = routers;
    this.app = app;
    this.destinations = destinations;
    this.target = routers[0];
    this.producer = new Producer(() => this.target, app);
    onTestFinished(() => this.producer.stop());
  }

  static async start(env: Record<string, string>, count: number): Promise<Scene> {
    const routers = await Promise.all(Array.from({ length: count }, () => startServerForTest({ env })));
    const app = await routers[0].createApp();
    const destinations = await startDestinations();
    for (const { url } of destinations) await routers[0].createDrain(app, url);
    const scene = new Scene(routers, app, destinations);
    await until('the routers to share the drains', () => scene.isShared());
    await scene.untilCurrent();
    // While the drains were added one by one, some of them moved.
    for (const destination of destinations)
      if (destination.receiver instanceof TcpReceiver)
        scene.connectionsBefore.set(destination, usedConnections(destination.receiver));
    return scene;
  }

  /** Does each router work on as many drains as the others? */
  async isShared(): Promise<boolean> {
    const { length: count } = this.routers;
    const { routers } = await this.target.request<{ routers: { drains: number }[] }>('GET', '/status');
    return (
      routers.length === count && routers.every(({ drains }) => drains === this.destinations.length / count)
    );
  }

  /** Lines go to this router from now on. */
  pushTo(router: Server): void {
    this.target = router;
  }

  /** A line that is stored from now on arrives at all destinations, soon after the store has taken it. */
  async untilCurrent(timeoutMs?: number): Promise<void> {
    const line = `line mark ${performance.now()}`;
    const push = () => pushLines(this.target, this.app.token, [line]);
    await until('lines to be taken', () =>
      push().then(
        () => true,
        () => false,
      ),
    );
    await Promise.all(
      this.destinations.map((destination) =>
        until(`${destination.name} to get lines`, () => linesOf(destination).includes(line), timeoutMs),
      ),
    );
  }

  /**
   * Every line is at every destination, in order, and so many changes of a lease repeated no more than what was on its way.
   * @param mayLose replication is asynchronous, so failovers may lose lines or progress: what is missing is counted as lost.
   */
  async expectRepeats(changes: number, mayLose = false): Promise<void> {
    await this.untilCurrent();
    const from = this.producer.next;
    await until('some hundred lines more', () => this.producer.next > from + 300);
    await this.producer.stop();
    await this.untilCurrent();
    const stored = (await this.target.readMessages(this.app)).filter(isOurs);
    for (const destination of this.destinations) {
      const { name, receiver } = destination;
      const received = linesOf(destination);
      const got = new Set(received);
      const due = [...new Set(stored)].filter((line) => !mayLose || got.has(line));
      const known = new Set(stored);
      expect(
        [...got].filter((line) => !mayLose || known.has(line)),
        name,
      ).toEqual(due);
      const drains = await this.target.listDrains(this.app);
      const lost = drains.find(({ url }) => url === destination.url)?.delivery.lost;
      expect(known.size - due.length, name).toBeLessThanOrEqual(lost ?? 0);
      const repeated = repeats(received, stored);
      const times = Math.max(0, ...repeated.values());
      expect(times, name).toBeLessThanOrEqual(changes);
      const late = [...repeated.keys()].filter((line) => Number(line.slice(5)) >= from);
      expect(late, `${name}, when all was well again`).toEqual([]);
      if (receiver instanceof HttpReceiver) {
        const names = receiver.requests.map(({ frameId }) => frameId);
        expect(names.length - new Set(names).size, name).toBeLessThanOrEqual(changes);
      } else {
        expect(repeated.size, name).toBeLessThanOrEqual(changes * UNCONFIRMED_MS * this.producer.linesPerMs);
        const before = this.connectionsBefore.get(destination) ?? 0;
        expect(usedConnections(receiver), name).toBeLessThanOrEqual(before + changes);
      }
    }
  }

  async expectEnd(): Promise<void> {
    for (const router of this.routers) await expectPromptEnd(router);
  }
}

/** SIGTERM ends it, with status 0, in a bounded time. */
async function expectPromptEnd(router: Server): Promise<void> {
  router.program.child.kill('SIGTERM');
  await until('the router to end', () => router.program.hasExited, END_MS);
  expect(router.program.exitStatus).toBe(0);
  expect(router.program.stderr).not.toContain('MaxListenersExceededWarning');
}

/** Stops a process for longer than a lease lasts. */
async function pause(process: { signal(signal: NodeJS.Signals): unknown }): Promise<void> {
  const beganMs = performance.now();
  await process.signal('SIGSTOP');
  await until('the pause to be over', () => performance.now() - beganMs > PAUSE_MS);
  await process.signal('SIGCONT');
}

function pauseRouter({ program }: Server): Promise<void> {
  return pause({ signal: (signal) => program.child.kill(signal) });
}

async function startRedis(): Promise<RedisServer> {
  const redis = await RedisServer.start({ config: ['appendonly yes'] });
  onTestFinished(() => redis.remove());
  return redis;
}

function expectNobodyDeclaredDead({ routers }: Scene): void {
  for (const { program } of routers) expect(program.stderr).not.toContain('a router is gone');
}

describe.runIf(hasRedis)('the drains of routers on one Redis', () => {
  it('when a router is paused, go to another one and back', async () => {
    const redis = await startRedis();
    const scene = await Scene.start({ REDIS_URL: redis.url }, 2);
    const [one, two] = scene.routers;
    for (const [paused, other] of [
      [one, two],
      [two, one],
    ]) {
      scene.pushTo(other);
      paused.program.child.kill('SIGSTOP');
      await until('the other router to notice', () => other.program.stderr.includes('a router is gone'));
      await scene.untilCurrent();
      paused.program.child.kill('SIGCONT');
      // Before that some would move a third time.
      await until('the drains to be shared again', () => scene.isShared());
    }
    // Each drain once to the other router and once back.
    await scene.expectRepeats(2);
    await scene.expectEnd();
  });

  it('when a router is paused with a backlog, get it from another one alone', async () => {
    const redis = await startRedis();
    const scene = await Scene.start({ REDIS_URL: redis.url }, 2);
    const [one, two] = scene.routers;
    const isEverywhereBehind = async (): Promise<boolean> => {
      const drains = await two.listDrains(scene.app);
      return drains.every(({ delivery }) => delivery.lagLines > 300);
    };
    for (const { receiver } of scene.destinations) await receiver.close();
    scene.pushTo(two);
    await until('the drains to be behind', isEverywhereBehind);
    one.program.child.kill('SIGSTOP');
    await until('the other router to notice', () => two.program.stderr.includes('a router is gone'));
    for (const { receiver } of scene.destinations) await receiver.listen();
    await scene.untilCurrent();
    one.program.child.kill('SIGCONT');
    await until('the drains to be shared again', () => scene.isShared());
    // One more for what was on its way when the destinations went away.
    await scene.expectRepeats(3);
    await scene.expectEnd();
  });

  it('when their only router is paused, go on as if nothing had been', async () => {
    const redis = await startRedis();
    const scene = await Scene.start({ REDIS_URL: redis.url }, 1);
    await pauseRouter(scene.routers[0]);
    await scene.expectRepeats(0);
    await scene.expectEnd();
  });

  it('when Redis is paused, stay where they are', async () => {
    const redis = await startRedis();
    const scene = await Scene.start({ REDIS_URL: redis.url }, 2);
    await pause(redis);
    await scene.untilCurrent(RECOVERY_MS);
    await scene.expectRepeats(0);
    expectNobodyDeclaredDead(scene);
    await scene.expectEnd();
  });

  it('when Redis is killed and started again, stay where they are', async () => {
    const redis = await startRedis();
    const scene = await Scene.start({ REDIS_URL: redis.url }, 2);
    const beganMs = performance.now();
    await redis.signal('SIGKILL');
    await until('the leases to have expired', () => performance.now() - beganMs > PAUSE_MS);
    await redis.start();
    await scene.untilCurrent(RECOVERY_MS);
    await scene.expectRepeats(0);
    expectNobodyDeclaredDead(scene);
    await scene.expectEnd();
  });

  it('when Sentinels fail over, go on soon', async () => {
    const sentinels = await RedisSentinels.start(['appendonly yes']);
    onTestFinished(() => sentinels.remove());
    const scene = await Scene.start({ REDIS_URL: sentinels.url }, 2);
    const rounds = 2;
    for (let round = 0; round < rounds; round++) {
      await sentinels.failOver();
      await scene.untilCurrent(RECOVERY_MS);
    }
    await scene.expectRepeats(rounds, true);
    await scene.expectEnd();
  });

  it('when masters of a Cluster fail over, go on soon', async () => {
    const cluster = await RedisCluster.start(['appendonly yes'], 1);
    onTestFinished(() => cluster.remove());
    const scene = await Scene.start({ REDIS_URL: cluster.url }, 2);
    const id = scene.app.id as AppId;
    const keys = [streamKeys(id).lines, 'tailrace:{platform}:records', 'tailrace:{routers}:records'];
    for (const held of keys) {
      await cluster.failOver(held);
      await scene.untilCurrent(RECOVERY_MS);
    }
    await scene.expectRepeats(keys.length, true);
    await scene.expectEnd();
  });
});

describe('a router with a store of its own', () => {
  it('that is paused goes on as if nothing had been', async () => {
    const scene = await Scene.start({}, 1);
    await pauseRouter(scene.routers[0]);
    await scene.expectRepeats(0);
    await scene.expectEnd();
  });
});

/** Accepts connections and does nothing with them: reads nothing, and shakes no hands. */
async function startDeafServer(): Promise<{ port: number; accepted: () => number }> {
  const sockets: { destroy(): unknown }[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, () => resolve()));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, accepted: () => sockets.length };
}

describe('SIGTERM ends a router soon', () => {
  /** Drains that hang in each phase of a delivery. */
  async function hangingDrains(server: Server): Promise<void> {
    const app = await server.createApp();
    const [deaf, mute] = [await startDeafServer(), await startDeafServer()];
    const http = await startHttpReceiver(() => 'hang');
    const failing = await startHttpReceiver(() => ({ status: 503, headers: { 'retry-after': '600' } }));
    await server.createDrain(app, `syslog://127.0.0.1:${deaf.port}`);
    await server.createDrain(app, `syslog+tls://127.0.0.1:${mute.port}`);
    await server.createDrain(app, `https://127.0.0.1:${mute.port}/`);
    await server.createDrain(app, http.url);
    await server.createDrain(app, failing.url);
    const lines = numberedMessages(500, 'x'.repeat(2_000));
    for (let i = 0; i < 20; i++) await pushLines(server, app.token, lines);
    await until('all to hang', () => {
      const isHanging = http.requests.length > 0 && failing.requests.length > 0;
      return isHanging && deaf.accepted() > 0 && mute.accepted() > 1;
    });
  }

  it('while its drains hang', async () => {
    const server = await startServerForTest();
    await hangingDrains(server);
    await expectPromptEnd(server);
  });

  it.runIf(hasRedis)('while its drains hang, and Redis too', async () => {
    const redis = await startRedis();
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    await hangingDrains(server);
    await redis.signal('SIGSTOP');
    await expectPromptEnd(server);
  });

  it.runIf(hasRedis)('while its drains hang, and Redis is gone', async () => {
    const redis = await startRedis();
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    await hangingDrains(server);
    await redis.signal('SIGKILL');
    await expectPromptEnd(server);
  });
});
