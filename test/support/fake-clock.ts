/** A clock that a test sets while programs run, by libfaketime: what they see of wall-clock time, and nothing else. */
import { accessSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { missing } from './program.ts';
import { RedisServer } from './redis/redis-server.ts';

const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find(isReadable);

/** For `it.skipIf`: true where it isn't installed; throws with CI=true. */
export function missingFakeClock(): boolean {
  return LIBRARY === undefined && missing('faketime');
}

export class FakeClock {
  private readonly folder = mkdtempSync(join(tmpdir(), 'tailrace-clock-'));
  private readonly file = join(this.folder, 'time');

  constructor() {
    this.set(0);
  }

  /** Environment of programs that run by this clock. The monotonic clock, and times of files, stay the system's. */
  get env(): Record<string, string> {
    return {
      // With jemalloc, which Redis has, the library waits for itself: memory comes from the C library.
      LD_PRELOAD: `${LIBRARY} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
      // Dynos and git have clocks of their own.
      FAKETIME_SKIP_CMDS: 'git,bash,sh',
    };
  }

  /** Sets it to so many milliseconds after (or, negative, before) the system's time: at once, also where programs run. */
  set(offsetMs: number): void {
    const next = join(this.folder, 'next');
    writeFileSync(next, `${offsetMs < 0 ? '' : '+'}${offsetMs / 1_000}\n`);
    renameSync(next, this.file);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A clock for one test. */
export function fakeClockForTest(): FakeClock {
  const clock = new FakeClock();
  onTestFinished(() => clock.remove());
  return clock;
}

/** A Redis for one test that runs by a clock, and keeps what it has over a restart. */
export async function startRedisByClock(clock: FakeClock): Promise<RedisServer> {
  const config = ['appendonly yes', 'appendfsync always'];
  const redis = await RedisServer.start({ env: clock.env, config });
  onTestFinished(() => redis.remove());
  return redis;
}

function isReadable(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}
