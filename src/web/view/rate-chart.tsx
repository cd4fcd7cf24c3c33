import { useEffect, useState } from 'preact/hooks';
import type { PageState } from '../page-state.ts';
import type { LogView } from '../stream/log-view.ts';
import { HISTORY_SECONDS } from '../stream/rate-history.ts';
import { formatCount, formatGroupedNumber, formatTimeOfDay } from '../text/format.ts';

const CHART_HEIGHT = 36;
/** The rate is the mean of the last few whole seconds: a single one jumps about. */
const RECENT_S = 5;

/** Lines and errors per second of the last five minutes. A click goes to that time. */
export function RateChart({ page, logView }: { page: PageState; logView: LogView }) {
  const [now, tick] = useState(Date.now());
  const [hoveredSecond, setHoveredSecond] = useState<number | undefined>(undefined);
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const { all, errors, endMs } = logView.rates.snapshot(now);
  const busiest = Math.max(...all);
  const highest = Math.max(4, busiest);
  const recent = all.slice(-1 - RECENT_S, -1);
  const rate = recent.reduce((sum, value) => sum + value, 0) / RECENT_S;
  const errorCount = errors.reduce((sum, value) => sum + value, 0);
  const secondAt = (event: { clientX: number; currentTarget: Element }): number => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.max(
      0,
      Math.min(HISTORY_SECONDS - 1, Math.floor(((event.clientX - left) / width) * HISTORY_SECONDS)),
    );
  };
  const msOf = (second: number): number => endMs - (HISTORY_SECONDS - second) * 1_000;
  /** Seconds whose lines weren't read: they are no zeros. */
  const unread = Math.max(
    0,
    Math.min(HISTORY_SECONDS, HISTORY_SECONDS - (endMs - logView.rates.completeFromMs) / 1_000),
  );
  return (
    <section class="rate-chart" aria-label="Lines per second">
      <p class="rate">
        <strong>{rate >= 10 ? formatGroupedNumber(Math.round(rate)) : rate.toFixed(rate > 0 ? 1 : 0)}</strong>
        <span>lines/s</span>
      </p>
      <button
        type="button"
        class="chart"
        aria-label="Lines per second of the last five minutes: jump to a time"
        onPointerMove={(event) => setHoveredSecond(secondAt(event))}
        onPointerLeave={() => setHoveredSecond(undefined)}
        onClick={(event) => void page.jumpToTime(msOf(secondAt(event)))}
      >
        <svg viewBox={`0 0 ${HISTORY_SECONDS} ${CHART_HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {unread > 0 && <rect class="unread" x="0" y="0" width={unread} height={CHART_HEIGHT} />}
          <path class="all" d={barsPath(all, highest)} />
          <path class="errors" d={barsPath(errors, highest)} />
          {hoveredSecond !== undefined && (
            <rect class="hovered" x={hoveredSecond} y="0" width="1" height={CHART_HEIGHT} />
          )}
        </svg>
        <span class="time-span">5 min{busiest > 0 && `, up to ${formatGroupedNumber(busiest)}/s`}</span>
        {hoveredSecond !== undefined && (
          <span class="tooltip" data-side={hoveredSecond > HISTORY_SECONDS / 2 ? 'right' : 'left'}>
            {formatTimeOfDay(msOf(hoveredSecond))} ·{' '}
            {hoveredSecond < Math.floor(unread) ? 'not read' : formatCount(all[hoveredSecond], 'line')}
            {errors[hoveredSecond] > 0 && ` · ${formatCount(errors[hoveredSecond], 'error')}`}
          </span>
        )}
      </button>
      <button
        type="button"
        class="error-count"
        data-some={errorCount > 0}
        title="Show errors only"
        onClick={() => void page.changeFilters({ level: 'error' })}
      >
        <strong>{formatGroupedNumber(errorCount)}</strong>
        <span>{errorCount === 1 ? 'error' : 'errors'}</span>
      </button>
    </section>
  );
}

/** A step for each second that has something: what has nothing isn't drawn. */
function barsPath(values: readonly number[], highest: number): string {
  let path = '';
  values.forEach((value, i) => {
    if (value === 0) return;
    const height = Math.max(1.5, (value / highest) * (CHART_HEIGHT - 2));
    path += `M${i} ${CHART_HEIGHT}v${(-height).toFixed(2)}h1V${CHART_HEIGHT}z`;
  });
  return path;
}
