/** What is said of a real Redis and memcached each minute (here: each 200 ms), also when they hang. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type {
  EmbeddedService,
  LocalInstance,
  LocalService,
  ProcessService,
} from '../../../../src/apps/host/addons/local/local-service.ts';
import { RunningInstance } from '../../../../src/apps/host/addons/local/running-instance.ts';
import { memcachedService } from '../../../../src/apps/host/addons/services/memcached.ts';
import { redisService } from '../../../../src/apps/host/addons/services/redis.ts';
import { DynoPidFile, readPidFile } from '../../../../src/apps/processes/pid-file.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { freePort } from '../../../support/free-port.ts';
import { missing } from '../../../support/program.ts';
import { dataFolderForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const SAMPLE_INTERVAL_MS = 200;

interface Written {
  readonly severity: number;
  readonly message: string;
}

/** @param waits for its start */
async function run(
  service: LocalService,
  waits = true,
): Promise<{
  running: RunningInstance;
  instance: LocalInstance;
  lines: Written[];
  pid: () => number | undefined;
}> {
  const folder = dataFolderForTest();
  const lines: Written[] = [];
  const instance: LocalInstance = {
    id: randomUUID(),
    name: 'cache-clear-1',
    folder: join(folder, 'one'),
    plan: { name: 'local', description: 'local' },
    port: await freePort(),
    password: 'c0ffee',
    number: 1,
  };
  mkdirSync(instance.folder);
  const pidFile = new DynoPidFile(folder);
  const running = new RunningInstance({
    app: 'app' as AppId,
    service,
    instance,
    process: 'cache.1',
    names: async () => ({ source: 'CACHE', addon: 'cache-clear-1' }),
    lines: {
      writeLine: (_source, _dyno, priority, message) => {
        lines.push({ severity: priority % 8, message: String(message) });
      },
      writeChunk: (_source, _dyno, _priority, chunk) => chunk.length,
    },
    pidFile: () => pidFile,
    movePort: async (before) => before,
    sampleIntervalMs: SAMPLE_INTERVAL_MS,
    log: SILENT_LOG,
  });
  running.start();
  onTestFinished(() => running.stop());
  if (waits) await running.waitUntilReady();
  const pid = () => readPidFile(folder)?.dynos[0]?.pid;
  return { running, instance, lines, pid };
}

const find = (lines: readonly Written[], pattern: RegExp) =>
  lines.find(({ message }) => pattern.test(message));

describe.skipIf(missing('redis-server', 'memcached', 'saslpasswd2'))('a running service', () => {
  it('Redis tells each minute what Heroku’s does', async () => {
    const { lines } = await run(redisService);
    const { message } = await until('its samples', () => find(lines, /^source=/));
    expect(message).toMatch(
      /^source=CACHE addon=cache-clear-1 sample#active-connections=\d+ sample#max-connections=\d+ sample#load-avg-1m=[\d.]+ sample#load-avg-5m=[\d.]+ sample#load-avg-15m=[\d.]+ sample#read-iops=[\d.]+ sample#write-iops=[\d.]+ sample#memory-total=\d+kB sample#memory-free=\d+kB sample#memory-cached=\d+kB sample#memory-redis=\d+bytes sample#hit-rate=0 sample#evicted-keys=0$/,
    );
    expect(find(lines, /^Ready to accept connections$/)?.severity).toBe(5);
    expect(find(lines, /^WARNING|oO0/)?.message).not.toMatch(/oO0/);
  });

  it('that isn’t installed any more says so once, and starts when it is', async () => {
    const sentence = 'redis-server is not installed on the server: apt-get install redis-server.';
    let isInstalled = false;
    let looks = 0;
    const service: ProcessService = {
      ...redisService,
      missing: () => {
        looks++;
        return isInstalled ? undefined : sentence;
      },
    };
    const { running, lines } = await run(service, false);
    await expect(running.waitUntilReady()).rejects.toThrow(sentence);
    await until('it was tried again', () => looks > 1);
    expect(lines).toEqual([{ severity: 3, message: `cache.1 could not be started: ${sentence}` }]);
    isInstalled = true;
    await until('it is there', () => find(lines, /^Ready to accept connections$/));
  });

  it('memcached tells the same of itself', async () => {
    const { lines } = await run(memcachedService);
    const { message } = await until('its samples', () => find(lines, /^source=/));
    expect(message).toMatch(
      /^source=CACHE addon=cache-clear-1 sample#active-connections=\d+ sample#max-connections=1024 .*sample#load-avg-1m=[\d.]+ .*sample#memory-memcached=\d+bytes sample#items=0 sample#hit-rate=0 sample#evicted-keys=0$/,
    );
  });

  it('is asked nothing while it owes an answer', async () => {
    let asked = 0;
    let owed = 0;
    let mostOwed = 0;
    const slow: EmbeddedService = {
      kind: 'embedded',
      service: 'slow',
      facts: () => ({}),
      start: async () => ({ close: async () => {} }),
      samples: async () => {
        asked++;
        mostOwed = Math.max(mostOwed, ++owed);
        await new Promise((resolve) => setTimeout(resolve, 3 * SAMPLE_INTERVAL_MS));
        owed--;
        return {};
      },
    };
    await run(slow, false);
    await until('it to be asked again', () => asked > 1);
    expect(mostOwed).toBe(1);
  });

  it('that hangs is reported once, and when it answers again; a stop ends it all the same', async () => {
    const all = await Promise.all([run(redisService), run(memcachedService)]);
    await Promise.all(
      all.map(async ({ running, lines, pid }) => {
        const hangs = /^cache-clear-1 doesn't answer: \S/;
        await until('its samples', () => find(lines, /^source=/));
        const id = await until('it runs', pid);
        process.kill(id, 'SIGSTOP');
        const said = await until('a sentence', () => find(lines, hangs));
        expect(said.severity).toBe(3);
        process.kill(id, 'SIGCONT');
        await until('another one', () => find(lines, /^cache-clear-1 answers again\.$/));
        expect(lines.filter(({ message }) => hangs.test(message))).toHaveLength(1);

        process.kill(id, 'SIGSTOP');
        await running.stop();
        expect(pid()).toBeUndefined();
      }),
    );
  });
});
