/** What follows from the memory that a dyno uses, in Heroku's words. */
import { platformErrorTitle } from '../../../common/platform-errors.ts';
import type { DynoInfo } from '../../processes/dyno.ts';
import type { LoadAverage } from '../../processes/load-average.ts';
import { type MemoryUsage, totalMemory } from '../../processes/memory-usage.ts';

/** This many times its quota, and a dyno is killed. */
const KILL_FACTOR = 2;
const MB = 1_048_576;

/** What to do about a dyno's memory. */
interface MemoryVerdict {
  /** To log, in this order. */
  readonly lines: readonly string[];
  readonly kill: boolean;
}

/**
 * R14 above the quota, R15 and the end above twice the quota.
 * @param quotaBytes undefined: no quota
 * @param wantsSamples does the app want the figures (`log-runtime-metrics`)?
 * @param load shown with them; undefined: not known yet
 */
export function judgeMemory(
  dyno: Pick<DynoInfo, 'id' | 'name'>,
  memory: MemoryUsage,
  quotaBytes: number | undefined,
  wantsSamples: boolean,
  load?: LoadAverage,
): MemoryVerdict {
  const lines = wantsSamples
    ? [...(load ? [loadLine(dyno, load)] : []), sampleLine(dyno, memory, quotaBytes)]
    : [];
  const total = totalMemory(memory);
  if (quotaBytes === undefined || total <= quotaBytes) return { lines, kill: false };
  lines.push(`Process running mem=${Math.round(total / MB)}M(${((total / quotaBytes) * 100).toFixed(1)}%)`);
  const kill = total > quotaBytes * KILL_FACTOR;
  if (kill) lines.push(platformErrorTitle('R15'), 'Stopping process with SIGKILL');
  else lines.push(platformErrorTitle('R14'));
  return { lines, kill };
}

function loadLine({ id, name }: Pick<DynoInfo, 'id' | 'name'>, load: LoadAverage): string {
  const shown = Object.entries(load).map(([span, value]) => `sample#load_avg_${span}=${value.toFixed(2)}`);
  return `source=${name} dyno=heroku.${id} ${shown.join(' ')}`;
}

function sampleLine(
  { id, name }: Pick<DynoInfo, 'id' | 'name'>,
  memory: MemoryUsage,
  quotaBytes: number | undefined,
): string {
  const mb = (bytes: number): string => `${(bytes / MB).toFixed(2)}MB`;
  const { rss, cache, swap } = memory;
  const values = {
    total: totalMemory(memory),
    rss,
    cache,
    swap,
    ...(quotaBytes ? { quota: quotaBytes } : {}),
  };
  const shown = Object.entries(values).map(([what, bytes]) => `sample#memory_${what}=${mb(bytes)}`);
  return `source=${name} dyno=heroku.${id} ${shown.join(' ')}`;
}
