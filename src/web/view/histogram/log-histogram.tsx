import { useEffect, useState } from 'preact/hooks';
import { formatNumber } from '../../../common/text/format-numbers.ts';
import type { PageState } from '../../page-state.ts';
import { endOf, summarize, totalOf } from '../../stream/counts/histogram-counts.ts';
import { LAST_RANGES, RANGE_DEFAULT, zoomedOut } from '../../stream/counts/view-range.ts';
import type { LogView } from '../../stream/log-view.ts';
import { serverNowMs } from '../../stream/server-clock.ts';
import { Histogram } from './histogram.tsx';

/** A rate over longer buckets would say nothing of now. */
const RATE_STEP_MS_MAX = 60_000;
const RANGE_LABELS: Record<(typeof LAST_RANGES)[number], string> = {
  '5m': '5 minutes',
  '15m': '15 minutes',
  '1h': '1 hour',
  '6h': '6 hours',
  '1d': '1 day',
  '7d': '7 days',
};

/** Over the lines: how many there were, and how serious, of those that are looked at. */
export function LogHistogram({ page, logView }: { page: PageState; logView: LogView }) {
  const [nowMs, tick] = useState(serverNowMs());
  useEffect(() => {
    const timer = setInterval(() => tick(serverNowMs()), 1_000);
    return () => clearInterval(timer);
  }, []);
  void logView.counts.version.value;
  // The selected line may only just have been read.
  void logView.loading.value;
  const counts = logView.counts.snapshot(Math.max(nowMs, serverNowMs()));
  const { range } = page.viewLocation.value;
  const shown = counts && { sinceMs: counts.sinceMs, untilMs: endOf(counts) };
  const sums = counts && summarize(counts);
  const last = counts ? counts.others.length - 2 : 0;
  const hasRate = counts && logView.counts.isLive && counts.stepMs <= RATE_STEP_MS_MAX && last >= 0;
  const selected = page.selectedLine;
  return (
    <section class="log-histogram" aria-label="Lines over time">
      <div class="line-sum">
        <strong>{sums ? formatNumber(sums.lines) : '…'}</strong>
        <span>
          {sums?.lines === 1 ? 'line' : 'lines'}
          {hasRate && `, ${formatRate((totalOf(counts, last) * 1_000) / counts.stepMs)}/s`}
        </span>
        <select
          aria-label="Range of time"
          value={range || RANGE_DEFAULT}
          onChange={(event) => {
            const { value } = event.currentTarget;
            page.selectRange(value === RANGE_DEFAULT ? '' : value);
          }}
        >
          {LAST_RANGES.map((text) => (
            <option key={text} value={text}>
              {RANGE_LABELS[text]}
            </option>
          ))}
          {range !== '' && !LAST_RANGES.some((text) => text === range) && (
            <option value={range}>chosen</option>
          )}
        </select>
      </div>
      {counts && shown ? (
        <Histogram
          counts={counts}
          label="Lines over time"
          zone={page.preferences.zone.value}
          highlightMs={selected?.ms}
          onBrush={(drawn) => void page.zoomInto(drawn)}
          onPick={({ sinceMs }) => void page.jumpToTime(sinceMs)}
          onZoomOut={
            range !== '' && zoomedOut(shown, nowMs) !== undefined ? () => page.zoomOut(shown) : undefined
          }
        />
      ) : (
        <div class="histogram" />
      )}
      <button
        type="button"
        class="error-count"
        data-some={sums !== undefined && sums.errors > 0}
        title="Show errors only"
        onClick={() => void page.changeFilters({ level: 'error' })}
      >
        <strong>{sums ? formatNumber(sums.errors) : '…'}</strong>
        <span>{sums?.errors === 1 ? 'error' : 'errors'}</span>
      </button>
    </section>
  );
}

/** `0`, `0.3`, `12`, `1,234` */
function formatRate(rate: number): string {
  return rate >= 10 || rate === 0 ? formatNumber(Math.round(rate)) : rate.toFixed(1);
}
