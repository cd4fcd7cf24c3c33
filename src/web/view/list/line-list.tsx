import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import { formatCount } from '../../../common/text/format-numbers.ts';
import type { Line } from '../../stream/line.ts';
import { localDayNumber, type TimeZone } from '../../text/format.ts';
import { spokenLine } from '../../text/line-text.ts';
import { searchTerms } from '../../text/search-terms.ts';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../icon.tsx';
import { copyRows } from './copy-rows.ts';
import type { LineFeed, LineListHost } from './list-host.ts';
import { RowCache } from './row-cache.tsx';
import { measureRows } from './row-metrics.ts';
import { type RowRange, VirtualScroller } from './virtual-scroller.ts';

/** So many lines are looked back over for one with a time. */
const UNREADABLE_TIMES_MAX = 100;
const NO_COLUMNS: readonly string[] = [];

export interface LineListProps {
  readonly page: LineListHost;
  readonly logView: LineFeed;
  /** Is shown when there is no line. */
  readonly empty: ComponentChildren;
}

/** The list of lines. Only the rows around what is visible exist, however many lines there are. */
export function LineList({ page, logView, empty }: LineListProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const scroller = useRef<VirtualScroller | undefined>(undefined);
  const [, redraw] = useReducer((n: number, _: undefined) => n + 1, 0);
  const wrap = page.preferences.wrap.value;
  const zone = page.preferences.zone?.value ?? 'local';
  const columns = page.columns?.value ?? NO_COLUMNS;
  const expanded = page.expanded.value;
  const unfolded = page.unfolded?.value;
  void logView.version.value;
  const position = page.selectedPosition.value;
  const selected = logView.rowOf?.(position) ?? position;
  void logView.following.value;
  const { terms, rowsFor } = useMemo(() => {
    const cache = new RowCache();
    return { terms: searchTerms(logView.filters.q), rowsFor: cache.rows.bind(cache) };
  }, [logView]);
  const { lines } = logView.window;
  const selectedLine = selected > 0 ? lines[logView.window.indexOf(selected)] : undefined;
  const range: RowRange = scroller.current?.renderedRange() ?? { from: 0, to: 0 };

  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const element = box.current;
    const virtualScroller = new VirtualScroller(
      element,
      logView,
      measureRows(element, wrap, columns.length),
      () => redraw(undefined),
    );
    scroller.current = virtualScroller;
    const observer = new ResizeObserver(() => {
      virtualScroller.layout.setMetrics(measureRows(element, wrap, columns.length), logView.window.lines);
      redraw(undefined);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [logView, wrap, columns]);

  useLayoutEffect(() => {
    if (!scroller.current || !canvas.current || !rows.current) return;
    if (scroller.current.afterRender(canvas.current, rows.current, range)) redraw(undefined);
  });

  // The line that the address or a key selects is brought into view.
  useEffect(() => {
    if (selected > 0 && lines.length > 0) scroller.current?.scrollToLine(selected, page.takeScrollFraction());
  }, [selected, expanded, logView.loading.value]);
  useEffect(() => page.onScrollToStart(() => scroller.current?.scrollToStart()), [page, logView]);

  return (
    <>
      {columns.length > 0 && <ColumnHeads columns={columns} page={page} />}
      <div
        ref={box}
        class="lines"
        data-wrap={wrap}
        style={{ '--columns': columns.length }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by the keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Lines"
        onScroll={() => scroller.current?.onScroll()}
        onWheel={(event) => scroller.current?.onScrollIntent(event.deltaY < 0)}
        onTouchStart={() => setPointerDown(scroller.current, true)}
        onTouchEnd={() => setPointerDown(scroller.current, false)}
        onTouchCancel={() => setPointerDown(scroller.current, false)}
        onPointerDown={(event) => pauseUnderMouse(event, logView)}
        onClick={(event) => onListClick(event, page, lines)}
        onCopy={(event) => copyRows(event, event.currentTarget, lines)}
        onKeyDown={(event) => {
          if (['PageUp', 'ArrowUp', 'Home'].includes(event.key)) scroller.current?.onScrollIntent(true);
        }}
      >
        <div ref={canvas} class="canvas">
          <div ref={rows} class="rows">
            {rowsFor(
              lines.slice(range.from, range.to).map((line, i) => ({
                line,
                page,
                terms,
                isNewDay: isNewDay(lines, range.from + i, zone),
                isSelected: line.at === selected,
                isExpanded: expanded.has(line.at),
                isUnfolded: unfolded?.has(line.at) ?? false,
                wrap,
                zone,
                columns,
              })),
            )}
          </div>
        </div>
      </div>
      {/* Keys lead from line to line: this is where to. */}
      <p role="status" class="visually-hidden">
        {selectedLine?.at === selected && spokenLine(selectedLine, zone)}
      </p>
      {lines.length === 0 && empty}
      {(logView.loading.value === 'all' || page.isOpening?.value) && <p class="loading">reading …</p>}
      <ResumeButton page={page} logView={logView} />
    </>
  );
}

/** The names of the columns, each with a button that takes it away. */
function ColumnHeads({ columns, page }: { columns: readonly string[]; page: LineListHost }) {
  return (
    <div class="line column-heads" style={{ '--columns': columns.length }}>
      {columns.map((key) => (
        <span key={key} class="column-cell" title={visibleText(key)}>
          <b>{visibleText(key)}</b>
          <button
            type="button"
            aria-label={`Remove the column ${visibleText(key)}`}
            onClick={() => page.toggleColumn?.(key)}
          >
            <Icon name="close" />
          </button>
        </span>
      ))}
    </div>
  );
}

/** How many lines came since the view was paused, and the way back. */
function ResumeButton({ page, logView }: { page: LineListHost; logView: LineFeed }) {
  const unseenCount = logView.unseenCount.value;
  if (logView.following.value) return null;
  return (
    <button
      type="button"
      class="resume-button"
      title="Follow the newest lines (space)"
      onClick={() => void page.follow()}
    >
      <Icon name="play" />
      <span>paused</span>
      {unseenCount > 0 && <b>{`${formatCount(unseenCount, 'new line')}`}</b>}
      <Icon name="down" />
    </button>
  );
}

function setPointerDown(scroller: VirtualScroller | undefined, isDown: boolean): void {
  if (scroller) scroller.pointerDown = isDown;
}

function isNewDay(lines: readonly Line[], index: number, zone: TimeZone): boolean {
  const day = localDayNumber(lines[index].ms, zone);
  if (Number.isNaN(day)) return false;
  // Lines whose time nobody can read are of the day around them.
  for (let i = index - 1; i >= 0 && i >= index - UNREADABLE_TIMES_MAX; i--) {
    const before = localDayNumber(lines[i].ms, zone);
    if (!Number.isNaN(before)) return before !== day;
  }
  return true;
}

/** What is pressed on stays there: a text that is being selected, or the line that is meant. */
function pauseUnderMouse({ pointerType, button, target }: PointerEvent, logView: LineFeed): void {
  const isRow = target instanceof Element && target.closest('.row') !== null;
  if (pointerType === 'mouse' && button === 0 && isRow) logView.pause();
}

function onListClick(event: MouseEvent, page: LineListHost, lines: readonly Line[]): void {
  if (page.onListClick()) return;
  const target = event.target instanceof Element ? event.target : undefined;
  const row = target?.closest('.row');
  if (!target || !row || target.closest('.details')) return;
  const at = Number(row.getAttribute('data-at'));
  const line = lines.find((one) => one.at === at);
  if (!line) return;
  if (target.closest('.origin')) page.showOnlyOrigin(line);
  else if (target.closest('.unfold-button')) page.toggleUnfolded?.(at);
  else if (target.closest('.expand-button')) {
    page.selectLine(at);
    page.toggleExpanded(at);
  }
  // Selecting text doesn't select the line.
  else if (document.getSelection()?.isCollapsed !== false) page.selectLine(at);
}
