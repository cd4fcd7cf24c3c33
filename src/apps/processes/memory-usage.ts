/** How much memory and processor time groups of processes use, from `/proc`. */
import { readFile } from 'node:fs/promises';
import { allProcesses } from '../../common/processes/process-identity.ts';

/** Bytes. What several processes share counts once: by the part that falls to each (PSS). */
export interface MemoryUsage {
  /** Of the processes' own. */
  readonly rss: number;
  /** Of files that are mapped: programs, libraries. */
  readonly cache: number;
  readonly swap: number;
}

/** What a group of processes uses. */
export interface GroupUsage extends MemoryUsage {
  /** Milliseconds of processor time that its processes have taken since they began, with children that have ended. */
  readonly cpuMs: number;
}

/**
 * Measures all of these process groups in one pass. Groups that are gone are missing in the result; without `/proc`
 * (macOS) it is empty. Memory is read asynchronously: the kernel may take a millisecond for a large process.
 */
export async function groupUsage(groups: ReadonlySet<number>): Promise<Map<number, GroupUsage>> {
  const all = new Map<number, GroupUsage>();
  if (groups.size === 0) return all;
  for await (const { pid, groupId: group, cpuMs } of allProcesses()) {
    if (!groups.has(group)) continue;
    const own = await processMemory(pid);
    const before = all.get(group) ?? { rss: 0, cache: 0, swap: 0, cpuMs: 0 };
    all.set(group, {
      rss: before.rss + own.rss,
      cache: before.cache + own.cache,
      swap: before.swap + own.swap,
      cpuMs: before.cpuMs + cpuMs,
    });
  }
  return all;
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
