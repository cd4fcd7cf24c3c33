import { formatNumber } from '../../../common/text/format-numbers.ts';
import { endOf, summarize, type TimeRange } from '../../stream/counts/histogram-counts.ts';
import { serverNowMs } from '../../stream/server-clock.ts';
import { formatDurationMs } from '../../text/format.ts';
import { Histogram } from '../../view/histogram/histogram.tsx';
import type { ViewerPage } from '../viewer-page.ts';
import { longerRange } from './counts-state.ts';
import { atLeast, PartialNote } from './partial-counts.tsx';

/** How many lines there are over time; a range that is drawn is shown alone, and a click goes to its time. */
export function CountsChart({ page }: { page: ViewerPage }) {
  const counts = page.counts.counts.value;
  const isPartial = page.counts.isPartial.value;
  const feed = page.feed.value;
  void feed?.version.value;
  const { from, to } = page.selection;
  const sums = counts && summarize(counts);
  const shown: TimeRange | undefined = counts && { sinceMs: counts.sinceMs, untilMs: endOf(counts) };
  const selected = feed?.lineAt(page.selectedPosition.value);
  return (
    <section class="log-histogram" aria-label="Lines over time" aria-busy={page.counts.loading.value}>
      <div class="line-sum">
        <strong>{sums ? atLeast(formatNumber(sums.lines), isPartial) : '…'}</strong>
        <span>
          {sums?.lines === 1 ? 'line' : 'lines'}
          {shown && ` in ${formatDurationMs(shown.untilMs - shown.sinceMs)}`}
        </span>
        {isPartial && <PartialNote isShort />}
      </div>
      {counts && shown ? (
        <Histogram
          counts={counts}
          label="Lines over time"
          zone={page.preferences.zone.value}
          highlightMs={selected?.ms}
          onBrush={({ sinceMs, untilMs }) =>
            void page.changeSelection({
              from: new Date(sinceMs).toISOString(),
              to: new Date(untilMs).toISOString(),
            })
          }
          onPick={({ sinceMs }) => void page.jumpToTime(sinceMs)}
          onZoomOut={from !== '' || to !== '' ? () => zoomOut(page, shown) : undefined}
        />
      ) : (
        <div class="histogram" />
      )}
      <button
        type="button"
        class="error-count"
        data-some={sums !== undefined && sums.errors > 0}
        title="Errors only"
        onClick={() => void page.narrow('severity:error')}
      >
        <strong>{sums ? atLeast(formatNumber(sums.errors), isPartial) : '…'}</strong>
        <span>{sums?.errors === 1 ? 'error line' : 'error lines'}</span>
      </button>
    </section>
  );
}

function zoomOut(page: ViewerPage, shown: TimeRange): void {
  const times = page.selectedStreams().map(({ firstAt }) => (firstAt ? Date.parse(firstAt) : serverNowMs()));
  void page.changeSelection(longerRange(shown, Math.min(...times), serverNowMs()) ?? { from: '', to: '' });
}
