import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatCount, formatNumber } from '../../../common/text/format-numbers.ts';
import {
  bucketAt,
  bucketCount,
  endOf,
  type HistogramCounts,
  rangeOfBuckets,
  summarize,
  type TimeRange,
  totalOf,
} from '../../stream/counts/histogram-counts.ts';
import { formatDurationMs, type TimeZone } from '../../text/format.ts';
import { Icon } from '../icon.tsx';
import { type BrushEvent, type BrushResult, NO_BRUSH, nextBrush } from './brush-state.ts';
import { barPaths, CHART_HEIGHT, highestCount, niceMaximum } from './count-scale.ts';
import { formatBucketTime, timeTicks } from './time-axis.ts';

/** A label that begins nearer to the end would be cut off, in pixels. */
const LABEL_ROOM_PX = 40;

export interface HistogramProps {
  readonly counts: HistogramCounts;
  /** What is counted, for those who don't see it: `Lines over time`. */
  readonly label: string;
  /** In which times are written. */
  readonly zone: TimeZone;
  /** A range that is marked: what is looked at, where that is less than is shown. */
  readonly selected?: TimeRange;
  /** A time that is marked: the selected line's. Milliseconds since 1970. */
  readonly highlightMs?: number;
  /** A range was drawn: with a mouse, a finger or the keyboard. */
  readonly onBrush: (range: TimeRange) => void;
  /** One bucket was chosen: a click. */
  readonly onPick?: (range: TimeRange) => void;
  /** The pointer, or the keyboard's cursor, is at this time; undefined when it is gone. */
  readonly onHover?: (ms: number | undefined) => void;
  /** There is a longer range to go back to. */
  readonly onZoomOut?: () => void;
}

/** How many lines there were over time, by how serious they were; drawing a range asks for it. It knows nothing of where the counts are from. */
export function Histogram(props: HistogramProps) {
  const { counts, label, zone, selected, highlightMs, onZoomOut } = props;
  const [brush, setBrush] = useState(NO_BRUSH);
  const plot = useRef<HTMLDivElement>(null);
  const width = useWidth(plot);
  const summaryId = useId();
  const count = bucketCount(counts);
  const range: TimeRange = { sinceMs: counts.sinceMs, untilMs: endOf(counts) };
  const maximum = niceMaximum(highestCount(counts));
  const paths = barPaths(counts, maximum);
  const cursor = brush.cursor === undefined ? undefined : Math.min(count - 1, brush.cursor);
  const unread = Math.max(0, Math.min(count, (counts.countedSinceMs - counts.sinceMs) / counts.stepMs));

  useEffect(
    () => props.onHover?.(cursor === undefined ? undefined : rangeOfBuckets(counts, cursor).sinceMs),
    [cursor],
  );

  const report = (result: BrushResult): void => {
    if (result.kind === 'range') props.onBrush(rangeOfBuckets(counts, result.from, result.to));
    else if (result.kind === 'pick') props.onPick?.(rangeOfBuckets(counts, result.bucket));
    else if (result.kind === 'zoom-out') onZoomOut?.();
  };
  const handle = (event: BrushEvent): boolean => {
    const next = nextBrush(brush, event);
    if (!next) return false;
    setBrush(next[0]);
    report(next[1]);
    return true;
  };
  const bucketUnder = (event: PointerEvent): number => {
    const { left, width: drawn } = plot.current?.getBoundingClientRect() ?? { left: 0, width: 1 };
    return bucketAt(counts, counts.sinceMs + ((event.clientX - left) / drawn) * counts.stepMs * count);
  };
  const x = (ms: number): number => (ms - counts.sinceMs) / counts.stepMs;
  const drawn =
    brush.start !== undefined && cursor !== undefined && brush.start !== cursor
      ? rangeOfBuckets(counts, brush.start, cursor)
      : undefined;
  const marked = drawn ?? selected;

  return (
    <div class="histogram">
      <p id={summaryId} class="visually-hidden">
        {summaryText(counts, zone)}
      </p>
      <div class="histogram-scale" aria-hidden="true">
        <span>{formatNumber(maximum)}</span>
        <span>{formatNumber(maximum / 2)}</span>
        <span>0</span>
      </div>
      <div
        ref={plot}
        class="histogram-plot"
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-describedby={summaryId}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={count - 1}
        aria-valuenow={cursor ?? count - 1}
        aria-valuetext={bucketText(counts, cursor ?? count - 1, zone)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          plot.current?.setPointerCapture(event.pointerId);
          handle({ kind: 'press', bucket: bucketUnder(event) });
        }}
        onPointerMove={(event) =>
          handle({ kind: brush.start === undefined ? 'hover' : 'drag', bucket: bucketUnder(event) })
        }
        onPointerUp={(event) => handle({ kind: 'release', bucket: bucketUnder(event) })}
        onPointerCancel={() => handle({ kind: 'cancel' })}
        onPointerLeave={() => handle({ kind: 'leave' })}
        onBlur={() => handle({ kind: 'cancel' })}
        onKeyDown={(event) => {
          if (event.ctrlKey || event.metaKey || event.altKey) return;
          const { key, shiftKey: isShift } = event;
          if (handle({ kind: 'key', key, isShift, count })) event.preventDefault();
        }}
      >
        <svg viewBox={`0 0 ${count} ${CHART_HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="histogram-grid" d={`M0 ${CHART_HEIGHT / 2}H${count}`} />
          {unread > 0 && <rect class="unread" x="0" y="0" width={unread} height={CHART_HEIGHT} />}
          {cursor !== undefined && (
            <rect class="histogram-cursor" x={cursor} y="0" width="1" height={CHART_HEIGHT} />
          )}
          <path class="other-bars" d={paths.others} />
          <path class="warning-bars" d={paths.warnings} />
          <path class="error-bars" d={paths.errors} />
          {marked && (
            <rect
              class={drawn ? 'histogram-brush' : 'histogram-selected'}
              x={x(marked.sinceMs)}
              y="0"
              width={Math.max(0, x(marked.untilMs) - x(marked.sinceMs))}
              height={CHART_HEIGHT}
            />
          )}
        </svg>
        {highlightMs !== undefined && highlightMs >= range.sinceMs && highlightMs < range.untilMs && (
          <i class="histogram-highlight" style={{ left: `${(x(highlightMs) / count) * 100}%` }} />
        )}
        {cursor !== undefined && (
          <Tooltip
            text={drawn ? rangeText(counts, drawn, zone) : bucketText(counts, cursor, zone)}
            fraction={(cursor + 0.5) / count}
          />
        )}
      </div>
      <div class="histogram-times" aria-hidden="true">
        {timeTicks(range, width, zone)
          .filter(({ ms }) => (x(ms) / count) * width < width - LABEL_ROOM_PX)
          .map(({ ms, label: text }) => (
            <span key={ms} style={{ left: `${(x(ms) / count) * 100}%` }}>
              {text}
            </span>
          ))}
      </div>
      {onZoomOut && (
        <button
          type="button"
          class="histogram-zoom-out"
          title="A longer range (-)"
          aria-label="Zoom out"
          onClick={onZoomOut}
        >
          <Icon name="zoom-out" />
        </button>
      )}
    </div>
  );
}

/** Beside the bar that it is about, on the side where there is room. */
function Tooltip({ text, fraction }: { text: string; fraction: number }) {
  return (
    <span
      class="histogram-tooltip"
      data-side={fraction > 0.5 ? 'left' : 'right'}
      style={fraction > 0.5 ? { right: `${(1 - fraction) * 100}%` } : { left: `${fraction * 100}%` }}
      aria-hidden="true"
    >
      {text}
    </span>
  );
}

function bucketText(counts: HistogramCounts, bucket: number, zone: TimeZone): string {
  return rangeText(counts, rangeOfBuckets(counts, bucket), zone);
}

/** `14:05:00 to 14:05:10: 12 lines, 1 error` */
function rangeText(counts: HistogramCounts, { sinceMs, untilMs }: TimeRange, zone: TimeZone): string {
  const whole = { sinceMs: counts.sinceMs, untilMs: endOf(counts) };
  const time = (ms: number): string => formatBucketTime(ms, whole, counts.stepMs, zone);
  const [from, to] = [bucketAt(counts, sinceMs), bucketAt(counts, untilMs - 1)];
  let [lines, errors, warnings] = [0, 0, 0];
  for (let i = from; i <= to; i++) {
    lines += totalOf(counts, i);
    errors += counts.errors[i];
    warnings += counts.warnings[i];
  }
  const isUncounted = untilMs <= counts.countedSinceMs;
  const length = from === to ? '' : ` (${formatDurationMs(untilMs - sinceMs)})`;
  return `${time(sinceMs)} to ${time(untilMs)}${length}: ${isUncounted ? 'not counted' : countsText(lines, errors, warnings)}`;
}

function countsText(lines: number, errors: number, warnings: number): string {
  const parts = [formatCount(lines, 'line')];
  if (errors > 0) parts.push(formatCount(errors, 'error'));
  if (warnings > 0) parts.push(formatCount(warnings, 'warning'));
  return parts.join(', ');
}

/** All of it in a sentence, for those who don't see it. */
function summaryText(counts: HistogramCounts, zone: TimeZone): string {
  const { lines, errors, warnings, busiest } = summarize(counts);
  const range = { sinceMs: counts.sinceMs, untilMs: endOf(counts) };
  const time = (ms: number): string => formatBucketTime(ms, range, counts.stepMs, zone);
  const most = lines === 0 ? '' : ` Most of them ${bucketText(counts, busiest, zone)}.`;
  return `${time(range.sinceMs)} to ${time(range.untilMs)}: ${countsText(lines, errors, warnings)}.${most} Arrow keys move, with shift they choose a range, enter zooms into it.`;
}

/** How wide an element is drawn, in pixels. */
function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const target = element.current;
    if (!target) return undefined;
    const observer = new ResizeObserver(() => setWidth(target.clientWidth));
    observer.observe(target);
    setWidth(target.clientWidth);
    return () => observer.disconnect();
  }, []);
  return width;
}
