/** What Heroku's databases tell of the machine that they are on, in the minute metrics. */
import { readFileSync, statSync } from 'node:fs';
import { freemem, loadavg, totalmem } from 'node:os';

/** Operations in a second; made from what the system counted since this was asked last. */
interface DiskRates {
  readonly counts: DiskCounts;
  readonly 'read-iops': number;
  readonly 'write-iops': number;
}

interface DiskCounts {
  readonly device: number;
  readonly reads: number;
  readonly writes: number;
  readonly atMs: number;
}

/** Several add-ons on one disk ask within one minute. */
const RATES_KEPT_MS = 30_000;
const ratesOfDisk = new Map<number, DiskRates>();

/**
 * Load, memory in kB (of 1,024 bytes, as in /proc/meminfo), and operations in a second of the folder's disk: 0 the first time, and where the
 * system doesn't count.
 */
export function machineSamples(folder: string): Record<string, string | number> {
  const [one, five, fifteen] = loadavg();
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1_024)}kB`;
  const rates = diskRates(folder);
  return {
    'load-avg-1m': round(one),
    'load-avg-5m': round(five),
    'load-avg-15m': round(fifteen),
    'read-iops': rates?.['read-iops'] ?? 0,
    'write-iops': rates?.['write-iops'] ?? 0,
    'memory-total': kilobytes(totalmem()),
    'memory-free': kilobytes(freemem()),
    'memory-cached': `${cachedKilobytes()}kB`,
  };
}

function diskRates(folder: string): DiskRates | undefined {
  const counts = diskCounts(folder);
  if (!counts) return undefined;
  const last = ratesOfDisk.get(counts.device);
  if (last && counts.atMs - last.counts.atMs < RATES_KEPT_MS) return last;
  const rate = (now: number, before: number): number =>
    last ? round((now - before) / ((counts.atMs - last.counts.atMs) / 1_000)) : 0;
  const rates = {
    counts,
    'read-iops': rate(counts.reads, last?.counts.reads ?? 0),
    'write-iops': rate(counts.writes, last?.counts.writes ?? 0),
  };
  ratesOfDisk.set(counts.device, rates);
  return rates;
}

/** Of /proc/diskstats: major, minor, name, reads, merged, sectors, ms, writes … */
function diskCounts(folder: string): DiskCounts | undefined {
  try {
    const { dev } = statSync(folder);
    // As glibc's gnu_dev_major() and gnu_dev_minor() do for numbers below 2^32.
    const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
    for (const line of readFileSync('/proc/diskstats', 'utf8').split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (Number(fields[0]) === major && Number(fields[1]) === minor)
        return { device: dev, reads: Number(fields[3]), writes: Number(fields[7]), atMs: performance.now() };
    }
  } catch {
    // Not Linux.
  }
  return undefined;
}

function cachedKilobytes(): number {
  try {
    return Number(/^Cached:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function round(value: number): number {
  return Number(value.toFixed(3));
}
