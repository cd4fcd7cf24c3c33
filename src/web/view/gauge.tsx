import { useEffect, useState } from 'preact/hooks';
import type { Page } from '../page.ts';
import { SECONDS } from '../stream/rates.ts';
import type { Reading } from '../stream/reading.ts';
import { clock, count, figure } from '../text/words.ts';

const HEIGHT = 36;
/** The rate is said for the last few whole seconds: a single one jumps about. */
const RECENT_S = 5;

/** The gauge: lines and errors per second of the last five minutes. A click goes to that time. */
export function Gauge({ page, reading }: { page: Page; reading: Reading }) {
  const [now, tick] = useState(Date.now());
  const [pointed, point] = useState<number | undefined>(undefined);
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const { all, errors, endMs } = reading.rates.read(now);
  const busiest = Math.max(...all);
  const highest = Math.max(4, busiest);
  const recent = all.slice(-1 - RECENT_S, -1);
  const rate = recent.reduce((sum, value) => sum + value, 0) / RECENT_S;
  const errorCount = errors.reduce((sum, value) => sum + value, 0);
  const secondAt = (event: { clientX: number; currentTarget: Element }): number => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(SECONDS - 1, Math.floor(((event.clientX - left) / width) * SECONDS)));
  };
  const msOf = (second: number): number => endMs - (SECONDS - second) * 1_000;
  /** Seconds whose lines weren't read: they are no zeros. */
  const unread = Math.max(0, Math.min(SECONDS, SECONDS - (endMs - reading.rates.knownFromMs) / 1_000));
  return (
    <section class="gauge" aria-label="Lines per second">
      <p class="rate">
        <strong>{rate >= 10 ? figure(Math.round(rate)) : rate.toFixed(rate > 0 ? 1 : 0)}</strong>
        <span>lines/s</span>
      </p>
      <button
        type="button"
        class="chart"
        aria-label="Lines per second of the last five minutes: jump to a time"
        onPointerMove={(event) => point(secondAt(event))}
        onPointerLeave={() => point(undefined)}
        onClick={(event) => void page.jump(msOf(secondAt(event)))}
      >
        <svg viewBox={`0 0 ${SECONDS} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {unread > 0 && <rect class="unread" x="0" y="0" width={unread} height={HEIGHT} />}
          <path class="all" d={steps(all, highest)} />
          <path class="errors" d={steps(errors, highest)} />
          {pointed !== undefined && <rect class="pointed" x={pointed} y="0" width="1" height={HEIGHT} />}
        </svg>
        <span class="ago">5 min{busiest > 0 && `, up to ${figure(busiest)}/s`}</span>
        {pointed !== undefined && (
          <span class="tip" data-side={pointed > SECONDS / 2 ? 'right' : 'left'}>
            {clock(msOf(pointed))} · {pointed < Math.floor(unread) ? 'not read' : count(all[pointed], 'line')}
            {errors[pointed] > 0 && ` · ${count(errors[pointed], 'error')}`}
          </span>
        )}
      </button>
      <button
        type="button"
        class="error-count"
        data-some={errorCount > 0}
        title="Show errors only"
        onClick={() => void page.filter({ level: 'error' })}
      >
        <strong>{figure(errorCount)}</strong>
        <span>{errorCount === 1 ? 'error' : 'errors'}</span>
      </button>
    </section>
  );
}

/** A step for each second that has something: what has nothing isn't drawn. */
function steps(values: readonly number[], highest: number): string {
  let path = '';
  values.forEach((value, i) => {
    if (value === 0) return;
    const height = Math.max(1.5, (value / highest) * (HEIGHT - 2));
    path += `M${i} ${HEIGHT}v${(-height).toFixed(2)}h1V${HEIGHT}z`;
  });
  return path;
}
