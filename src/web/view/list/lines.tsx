import { useEffect, useLayoutEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import type { Page } from '../../page.ts';
import type { Line } from '../../stream/line.ts';
import type { Reading } from '../../stream/reading.ts';
import { wantedTerms } from '../../text/search.ts';
import { count, dayNumber } from '../../text/words.ts';
import { Icon } from '../icon.tsx';
import { NoLines } from '../nothing.tsx';
import { measure } from './measure.ts';
import { RowCache } from './row-cache.tsx';
import { type Range, Scroller } from './scroller.ts';

/** The list of lines. Only the rows around what is visible exist, however many lines there are. */
export function Lines({ page, reading }: { page: Page; reading: Reading }) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const scroller = useRef<Scroller | undefined>(undefined);
  const [, redraw] = useReducer((n: number, _: undefined) => n + 1, 0);
  const wrap = page.preferences.wrap.value;
  const expanded = page.expanded.value;
  const selected = page.selected.value;
  void reading.version.value;
  void reading.following.value;
  const { terms, rowsFor } = useMemo(() => {
    const cache = new RowCache();
    return { terms: wantedTerms(reading.filters.q), rowsFor: cache.rows.bind(cache) };
  }, [reading]);
  const { lines } = reading.window;
  const range: Range = scroller.current?.range() ?? { from: 0, to: 0 };

  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const element = box.current;
    const made = new Scroller(element, reading, measure(element, wrap), () => redraw(undefined));
    scroller.current = made;
    const observer = new ResizeObserver(() => {
      made.layout.remeasure(measure(element, wrap), reading.window.lines);
      redraw(undefined);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [reading, wrap]);

  useLayoutEffect(() => {
    if (!scroller.current || !canvas.current || !rows.current) return;
    if (scroller.current.settle(canvas.current, rows.current, range)) redraw(undefined);
  });

  // Where the address or a key points is brought into view.
  useEffect(() => {
    if (selected > 0 && lines.length > 0) scroller.current?.show(selected, page.takeShare());
  }, [selected, expanded, reading.loading.value]);
  useEffect(() => page.onStart(() => scroller.current?.toStart()), [page, reading]);

  return (
    <>
      <div
        ref={box}
        class="lines"
        data-wrap={wrap}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by the keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Lines"
        onScroll={() => scroller.current?.scrolled()}
        onWheel={(event) => scroller.current?.turned(event.deltaY < 0)}
        onTouchStart={() => hold(scroller.current, true)}
        onTouchEnd={() => hold(scroller.current, false)}
        onTouchCancel={() => hold(scroller.current, false)}
        onClick={(event) => clicked(event, page, lines)}
        onKeyDown={(event) => {
          if (['PageUp', 'ArrowUp', 'Home'].includes(event.key)) scroller.current?.turned(true);
        }}
      >
        <div ref={canvas} class="canvas">
          <div ref={rows} class="rows">
            {rowsFor(
              lines.slice(range.from, range.to).map((line, i) => ({
                line,
                page,
                terms,
                isNewDay: isNewDay(lines, range.from + i),
                isSelected: line.at === selected,
                isOpen: expanded.has(line.at),
                wrap,
              })),
            )}
          </div>
        </div>
      </div>
      {lines.length === 0 && <NoLines page={page} reading={reading} />}
      {reading.loading.value === 'all' && <p class="busy">reading …</p>}
      <Pill page={page} reading={reading} />
    </>
  );
}

/** What came since the view doesn't follow; the way back. */
function Pill({ page, reading }: { page: Page; reading: Reading }) {
  const unseen = reading.unseen.value;
  if (reading.following.value) return null;
  return (
    <button
      type="button"
      class="pill"
      title="Go on with the newest lines (space)"
      onClick={() => void page.follow()}
    >
      <Icon name="play" />
      <span>paused</span>
      {unseen > 0 && <b>{`${count(unseen, 'new line')}`}</b>}
      <Icon name="down" />
    </button>
  );
}

function hold(scroller: Scroller | undefined, held: boolean): void {
  if (scroller) scroller.held = held;
}

function isNewDay(lines: readonly Line[], index: number): boolean {
  return index === 0 || dayNumber(lines[index].ms) !== dayNumber(lines[index - 1].ms);
}

function clicked(event: MouseEvent, page: Page, lines: readonly Line[]): void {
  if (page.preferences.isPanelOver() && page.preferences.panel.value) {
    page.preferences.panel.value = false;
    return;
  }
  const target = event.target instanceof Element ? event.target : undefined;
  const row = target?.closest('.row');
  if (!target || !row || target.closest('.details')) return;
  const at = Number(row.getAttribute('data-at'));
  const line = lines.find((one) => one.at === at);
  if (!line) return;
  if (target.closest('.who')) void page.filter({ source: line.source, dyno: line.dyno });
  else if (target.closest('.fold')) {
    page.select(at);
    page.fold(at);
  }
  // Selecting text isn't pointing at a line.
  else if (document.getSelection()?.isCollapsed !== false) page.select(at);
}
