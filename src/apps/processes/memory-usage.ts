/** How much memory groups of processes use, from `/proc`. */
import { readdir, readFile } from 'node:fs/promises';

/** Bytes. What several processes share counts once: by the part that falls to each (PSS). */
export interface MemoryUsage {
  /** Of the processes' own. */
  readonly rss: number;
  /** Of files that are mapped: programs, libraries. */
  readonly cache: number;
  readonly swap: number;
}

/**
 * Measures all of these process groups in one pass. Groups that are gone are missing in the result; without `/proc`
 * (macOS) it is empty. Asynchronous all the way: the kernel may take a millisecond for a large process.
 */
export async function groupMemory(groups: ReadonlySet<number>): Promise<Map<number, MemoryUsage>> {
  const all = new Map<number, MemoryUsage>();
  if (groups.size === 0) return all;
  const names = await readdir('/proc').catch(() => []);
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const group = groupOf(await readFile(`/proc/${name}/stat`, 'latin1').catch(() => ''));
    if (group === undefined || !groups.has(group)) continue;
    const own = await processMemory(name);
    const before = all.get(group) ?? { rss: 0, cache: 0, swap: 0 };
    all.set(group, {
      rss: before.rss + own.rss,
      cache: before.cache + own.cache,
      swap: before.swap + own.swap,
    });
  }
  return all;
}

/** Bytes in all. */
export function totalMemory({ rss, cache, swap }: MemoryUsage): number {
  return rss + cache + swap;
}

/** The fifth field of proc(5)'s `stat`; the second, a name in brackets, may hold anything. */
function groupOf(stat: string): number | undefined {
  const group = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
  return group === undefined ? undefined : Number(group);
}

async function processMemory(pid: string): Promise<MemoryUsage> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => undefined);
  if (text === undefined) return residentMemory(pid);
  const bytes = (field: string): number => kilobytes(text, field) * 1_024;
  const cache = bytes('Pss_File');
  return { rss: bytes('Pss') - cache, cache, swap: bytes('SwapPss') };
}

/** For processes of somebody else: shared memory counts in each. */
async function residentMemory(pid: string): Promise<MemoryUsage> {
  const text = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const bytes = (field: string): number => kilobytes(text, field) * 1_024;
  return { rss: bytes('RssAnon') + bytes('RssShmem'), cache: bytes('RssFile'), swap: bytes('VmSwap') };
}

function kilobytes(text: string, field: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${field}:`));
  return Number(/\d+/.exec(line ?? '')?.[0] ?? 0);
}
