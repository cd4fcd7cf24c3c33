/** How much memory and processor time dynos use, and how many threads they have, from `/proc`. */
import { readFile } from 'node:fs/promises';
import { allProcesses, environmentOf, type ProcessStat } from '../../common/processes/process-identity.ts';
import type { DynoInfo } from './dyno.ts';

const ID_VARIABLE = 'HEROKU_DYNO_ID=';

/** Bytes. What several processes share counts once: by the part that falls to each (PSS). */
export interface MemoryUsage {
  /** Of the processes' own. */
  readonly rss: number;
  /** Of files that are mapped: programs, libraries. */
  readonly cache: number;
  readonly swap: number;
}

/** What the processes of a dyno use. */
export interface DynoUsage extends MemoryUsage {
  /** Milliseconds of processor time that they have taken since they began, with children that have ended. */
  readonly cpuMs: number;
}

/** Measures dynos, again and again. */
export class DynoMeter {
  /** The dynos of processes outside of all groups, by process; '' for nobody's. Reading an environment takes an eighth of a millisecond. */
  private owners = new Map<string, string>();

  /**
   * Measures all of these dynos in one pass, by their ids: their process groups, and what has left them (a browser that a program has started, a
   * daemon), which is known by its environment. Those that are gone are missing in the result; without `/proc` (macOS) it is empty.
   * Memory is read asynchronously: the kernel may take a millisecond for a large process.
   */
  async measure(dynos: readonly Pick<DynoInfo, 'id' | 'pid'>[]): Promise<Map<string, DynoUsage>> {
    const all = new Map<string, DynoUsage>();
    for await (const { id, pid, cpuMs } of this.processesOf(dynos)) {
      const own = await processMemory(pid);
      const before = all.get(id) ?? { rss: 0, cache: 0, swap: 0, cpuMs: 0 };
      all.set(id, {
        rss: before.rss + own.rss,
        cache: before.cache + own.cache,
        swap: before.swap + own.swap,
        cpuMs: before.cpuMs + cpuMs,
      });
    }
    return all;
  }

  /** How many threads their processes have, by their ids, as `measure` has them; a process has one at least. */
  async countThreads(dynos: readonly Pick<DynoInfo, 'id' | 'pid'>[]): Promise<Map<string, number>> {
    const all = new Map<string, number>();
    for await (const { id, state, threads } of this.processesOf(dynos))
      if (state !== 'Z') all.set(id, (all.get(id) ?? 0) + threads);
    return all;
  }

  private async *processesOf(
    dynos: readonly Pick<DynoInfo, 'id' | 'pid'>[],
  ): AsyncGenerator<ProcessStat & { id: string }> {
    const byGroup = new Map(dynos.flatMap(({ id, pid }) => (pid === undefined ? [] : [[pid, id]])));
    if (byGroup.size === 0) return;
    const ids = new Set(byGroup.values());
    const owners = new Map<string, string>();
    for await (const stat of allProcesses()) {
      let id = byGroup.get(stat.groupId);
      if (id === undefined) {
        const key = `${stat.pid} ${stat.startTicks}`;
        id = this.owners.get(key) ?? (await dynoInEnvironment(stat.pid));
        owners.set(key, id);
      }
      if (ids.has(id)) yield { ...stat, id };
    }
    this.owners = owners;
  }
}

/** @returns '' for a process of none, or of somebody else */
async function dynoInEnvironment(pid: number): Promise<string> {
  const id = (await environmentOf(pid)).find((variable) => variable.startsWith(ID_VARIABLE));
  return id?.slice(ID_VARIABLE.length) ?? '';
}

/** Bytes in all. */
export function totalMemory({ rss, cache, swap }: MemoryUsage): number {
  return rss + cache + swap;
}

async function processMemory(pid: number): Promise<MemoryUsage> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => undefined);
  if (text === undefined) return residentMemory(pid);
  const bytes = (field: string): number => kilobytes(text, field) * 1_024;
  const cache = bytes('Pss_File');
  return { rss: bytes('Pss') - cache, cache, swap: bytes('SwapPss') };
}

/** For processes of somebody else: shared memory counts in each. */
async function residentMemory(pid: number): Promise<MemoryUsage> {
  const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const bytes = (field: string): number => kilobytes(text, field) * 1_024;
  return { rss: bytes('RssAnon') + bytes('RssShmem'), cache: bytes('RssFile'), swap: bytes('VmSwap') };
}

function kilobytes(text: string, field: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${field}:`));
  return Number(/\d+/.exec(line ?? '')?.[0] ?? 0);
}
