/** What may happen to a deployment. */
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import type { Deployment } from '../deployments/deployment.ts';
import type { Receiver } from '../deployments/receivers.ts';
import type { RestartableProgram } from '../processes/restartable.ts';
import { type HttpSink, SINK_TROUBLES } from '../readers/http-sink.ts';
import type { SyslogSink } from '../readers/syslog-sink.ts';
import { pause } from '../senders/numbered.ts';
import type { DiskTrouble, FaultyDisk, PowerCut } from './faulty-disk.ts';
import { NETWORK_TROUBLES, type Network } from './network.ts';
import { type FaultKind, type ScheduledFault, wayOf } from './schedule.ts';
import { VictimTurns } from './victim-turns.ts';

export interface Fault extends FaultKind {
  /** Breaks something, and mends it after as long as was planned. Returns what it was. */
  run(fault: ScheduledFault): Promise<string>;
}

/** All that can be broken. */
export interface Victims {
  readonly deployment: Deployment;
  readonly viewer: Receiver;
  readonly archive: Receiver;
  readonly ship: RestartableProgram;
  readonly sinks: readonly HttpSink[];
  readonly syslogSink: SyslogSink;
  /** Between routers and each of their drains. */
  readonly drainNetworks: readonly Network[];
  readonly names: Names;
  /** Bits may flip, and files be cut off: lines are lost, and have to be counted. */
  readonly damages: boolean;
}

/** The addresses that a name leads to: libnss_wrapper's file. */
export class Names {
  readonly file: string;
  private changes = 0;

  constructor(file: string) {
    this.file = file;
    this.set('127.0.0.1');
  }

  /** Undefined: the name can't be found. */
  set(address: string | undefined): void {
    writeFileSync(this.file, address === undefined ? '\n' : `${address} drain.torture\n`);
    // The file is read again when its time, in seconds, is another.
    const time = 2_000_000_000 + ++this.changes;
    utimesSync(this.file, time, time);
  }
}

const HOUR_MS = 3_600_000;

export function faultsOf(victims: Victims): Fault[] {
  const { deployment, viewer, archive, ship, sinks, syslogSink, drainNetworks, names } = victims;
  const { routers, redis } = deployment;
  const routerNetworks = routers.flatMap(({ http, syslog }) => [http, syslog]);
  const disks = [
    ...routers.flatMap(({ disk, program }) => (disk ? [{ disk, program }] : [])),
    viewer,
    archive,
  ].filter(({ disk }) => disk.canFail);

  const turns = new VictimTurns();
  const killed = (name: string, programs: readonly RestartableProgram[], weight: number): Fault => ({
    name: `${name} killed`,
    forMs: [0, 2_000],
    weight,
    run: async ({ dice, forMs }) => {
      const program = programs[dice % programs.length];
      await program.whileDown('SIGKILL', () => pause(forMs));
      return program.name;
    },
  });
  const frozen = (name: string, programs: readonly RestartableProgram[]): Fault => ({
    name: `${name} frozen`,
    forMs: [300, 9_000],
    run: async ({ dice, forMs }) => {
      const program = programs[dice % programs.length];
      return turns.take(program, async () => {
        program.freeze(true);
        await pause(forMs);
        program.freeze(false);
        return program.name;
      });
    },
  });
  const network = (name: string, all: readonly Network[]): Fault => ({
    name: `network to ${name} broken`,
    forMs: [200, 6_000],
    weight: 2,
    ways: NETWORK_TROUBLES,
    run: ({ dice, forMs }) => {
      const one = all[dice % all.length];
      return turns.take(one, async () => {
        const trouble = wayOf(dice, NETWORK_TROUBLES);
        one.set(trouble, 20 + ((dice >> 12) % 500));
        await pause(forMs);
        one.set('none');
        return trouble;
      });
    },
  });
  const routerPrograms = routers.map(({ program }) => program);
  const faults: Fault[] = [
    killed('router', routerPrograms, 4),
    killed('viewer', [viewer.program], 1),
    killed('archive', [archive.program], 1),
    killed('ship', [ship], 1),
    {
      name: 'router stopped',
      forMs: [0, 500],
      run: async ({ dice, forMs }) => {
        const program = routerPrograms[dice % routerPrograms.length];
        await program.whileDown('SIGTERM', () => pause(forMs));
        return program.name;
      },
    },
    frozen('router', routerPrograms),
    frozen('receiver', [viewer.program, archive.program]),
    frozen('ship', [ship]),
    network('routers', routerNetworks),
    network('drains', drainNetworks),
    {
      name: 'drain failing',
      forMs: [200, 5_000],
      ways: SINK_TROUBLES,
      run: ({ dice, forMs }) => {
        const sink = sinks[dice % sinks.length];
        return turns.take(sink, async () => {
          const trouble = wayOf(dice, SINK_TROUBLES);
          sink.trouble = trouble;
          await pause(forMs);
          sink.trouble = 'none';
          return `${sink.name}: ${trouble}`;
        });
      },
    },
    {
      name: 'syslog drain hangs up',
      forMs: [0, 0],
      run: async () => {
        syslogSink.hangUp();
        return '';
      },
    },
    {
      name: 'DNS fails',
      forMs: [500, 6_000],
      run: ({ forMs }) =>
        turns.take(names, async () => {
          names.set(undefined);
          for (const one of drainNetworks) one.leadOnlyTo('nowhere');
          await pause(forMs);
          names.set('127.0.0.1');
          for (const one of drainNetworks) one.leadOnlyTo('127.0.0.1');
          return '';
        }),
    },
    {
      name: 'DNS changes',
      forMs: [500, 6_000],
      run: ({ forMs }) =>
        turns.take(names, async () => {
          for (const address of ['127.0.0.2', '127.0.0.1']) {
            names.set(address);
            for (const one of drainNetworks) one.leadOnlyTo(address);
            if (address === '127.0.0.2') await pause(forMs);
          }
          return '';
        }),
    },
    {
      name: 'clock jumps',
      forMs: [500, 6_000],
      run: async ({ dice, forMs }) => {
        const { clock } = routers[dice % routers.length];
        if (!clock) throw new Error('no clock to set');
        const ms = (((dice >> 4) % 2 === 0 ? 1 : -1) * HOUR_MS * (1 + ((dice >> 8) % 40))) / 10;
        return turns.take(clock, async () => {
          clock.set(ms);
          await pause(forMs);
          clock.set(0);
          return `${Math.round(ms / 60_000)} min`;
        });
      },
    },
    ...(disks.length > 0 ? diskFaults(disks, turns, victims.damages ? routers[0] : undefined) : []),
  ];
  if (!redis) return faults;
  return [
    ...faults,
    ...(redis.network ? [network('Redis', [redis.network])] : []),
    {
      name: 'Redis killed',
      forMs: [0, 2_000],
      weight: redis.failOver ? 1 : 3,
      run: async ({ dice, forMs }) => {
        const server = redis.servers[dice % redis.servers.length];
        await server.signal('SIGKILL');
        await pause(forMs);
        if (server.hasExited) await server.start();
        return `port ${server.port}`;
      },
    },
    {
      name: 'Redis frozen',
      forMs: [200, 5_000],
      run: async ({ dice, forMs }) => {
        const server = redis.servers[dice % redis.servers.length];
        return turns.take(server, async () => {
          await server.signal('SIGSTOP');
          await pause(forMs);
          await server.signal('SIGCONT');
          return `port ${server.port}`;
        });
      },
    },
    {
      name: 'Redis full',
      forMs: [500, 4_000],
      run: ({ forMs }) =>
        turns.take(redis.master, async () => {
          const server = await redis.master();
          await server.command('config', 'set', 'maxmemory', '1mb').catch(() => undefined);
          await pause(forMs);
          // Whoever was killed meanwhile has forgotten it.
          await Promise.all(
            redis.servers.map((one) => one.command('config', 'set', 'maxmemory', '0').catch(() => undefined)),
          );
          return '';
        }),
    },
    ...(redis.failOver
      ? [
          {
            name: 'Redis fails over',
            forMs: [0, 0] as const,
            weight: 2,
            run: () =>
              turns.take(redis, async () => {
                await redis.failOver?.();
                return '';
              }),
          },
        ]
      : []),
  ];
}

interface DiskVictim {
  readonly disk: FaultyDisk;
  readonly program: RestartableProgram;
}

function diskFaults(
  victims: readonly DiskVictim[],
  turns: VictimTurns,
  damaged: Deployment['routers'][number] | undefined,
): Fault[] {
  const pick = (dice: number): DiskVictim => victims[dice % victims.length];
  const trouble = (name: string, kind: DiskTrouble, permille: number, ms: number): Fault => ({
    name,
    forMs: [300, 5_000],
    run: async ({ dice, forMs }) => {
      const { disk, program } = pick(dice);
      return turns.take(disk, async () => {
        disk.set(kind, permille, ms);
        await pause(forMs);
        disk.set('none');
        return program.name;
      });
    },
  });
  const powerCut = (name: string, kind: PowerCut): Fault => ({
    name,
    forMs: [0, 1_000],
    weight: 2,
    run: async ({ dice, forMs }) => {
      const { disk, program } = pick(dice);
      await program.whileDown('SIGKILL', async () => {
        disk.cutPower(kind, seededRandom(dice));
        await pause(forMs);
      });
      return program.name;
    },
  });
  return [
    powerCut('power cut', 'exact'),
    powerCut('power lost, pages torn', 'torn'),
    {
      name: 'disk full',
      forMs: [500, 6_000],
      run: async ({ dice, forMs }) => {
        const { disk, program } = pick(dice);
        const leftBytes = [0, 100_000, 4_000_000, 9_000_000][(dice >> 8) % 4];
        return turns.take(disk, async () => {
          disk.fill(leftBytes);
          await pause(forMs);
          disk.free();
          return `${program.name}, ${leftBytes} bytes left`;
        });
      },
    },
    trouble('disk full at once', 'full', 1_000, 0),
    trouble('disk slow', 'slow', 500, 30),
    trouble('writes fail (EIO)', 'write-fails', 300, 0),
    trouble('syncs fail (EIO)', 'sync-fails', 300, 0),
    ...(damaged
      ? [
          {
            name: 'bits flipped',
            forMs: [0, 500] as const,
            run: async ({ dice }: ScheduledFault) => damage(damaged, dice, false),
          },
          {
            name: 'file cut off',
            forMs: [0, 500] as const,
            run: async ({ dice }: ScheduledFault) => damage(damaged, dice, true),
          },
        ]
      : []),
  ];
}

/** Damages a segment of a router that is down meanwhile. */
async function damage(
  { program, data, disk }: Deployment['routers'][number],
  dice: number,
  isCut: boolean,
): Promise<string> {
  let what = '';
  await program.whileDown('SIGKILL', async () => {
    what = damageFile(data, dice, isCut);
    disk?.startOver();
  });
  return what;
}

function damageFile(data: string, dice: number, isCut: boolean): string {
  const files = readdirSync(join(data, 'streams'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.log'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0);
  const path = files[dice % files.length];
  const { size } = statSync(path);
  const at = Math.floor(seededRandom(dice)() * size);
  if (isCut) truncateSync(path, at);
  else {
    const fd = openSync(path, 'r+');
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, at);
    byte[0] ^= 1 << ((dice >> 8) % 8);
    writeSync(fd, byte, 0, 1, at);
    closeSync(fd);
  }
  return `${path.slice(data.length)} at ${at} of ${size}`;
}
