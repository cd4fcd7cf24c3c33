/**
 * Keeps the list of lines where it belongs while lines come and go around what is looked at: at its end while it follows,
 * else with the same line at the same place. The browser's own scrolling stays in charge: this only sets where it is.
 */

import type { LineFeed } from './list-host.ts';
import { RowLayout, type RowMetrics } from './row-layout.ts';

/** Rows beyond the visible part, in pixels: a fling shouldn't outrun them. */
const OVERSCAN_PX = 600;
/** So close to an end of the window (in pixels), more is requested. */
const LOAD_AHEAD_PX = 2_500;
/** This close to the end is the end. */
const END_TOLERANCE_PX = 6;

export interface RowRange {
  readonly from: number;
  readonly to: number;
}

interface Anchor {
  /** Position of the line at the upper edge, and how much of it is above the edge. */
  readonly at: number;
  readonly offsetPx: number;
}

export class VirtualScroller {
  readonly layout: RowLayout;
  private readonly logView: LineFeed;
  private readonly viewport: HTMLElement;
  private readonly redraw: () => void;
  private anchor: Anchor | undefined;
  /** Where this class has scrolled the list to: another value is the user's scrolling. */
  private lastScrollTop = 0;
  private isPointerDown = false;

  constructor(viewport: HTMLElement, logView: LineFeed, metrics: RowMetrics, redraw: () => void) {
    this.viewport = viewport;
    this.logView = logView;
    this.layout = new RowLayout(metrics);
    this.redraw = redraw;
  }

  /** What has to be drawn now. */
  renderedRange(): RowRange {
    const { lines } = this.logView.window;
    this.layout.update(lines);
    const { heights } = this.layout;
    if (lines.length === 0) return { from: 0, to: 0 };
    const top = this.targetScrollTop();
    const from = heights.indexAt(top - OVERSCAN_PX);
    const to = heights.indexAt(top + this.viewport.clientHeight + OVERSCAN_PX) + 1;
    return { from, to };
  }

  /** After drawing: takes the real heights, and puts everything in its place. True when more has to be drawn. */
  afterRender(canvas: HTMLElement, rows: HTMLElement, range: RowRange): boolean {
    const { heights } = this.layout;
    markFolded(rows);
    for (let i = 0; i < rows.children.length; i++)
      heights.set(range.from + i, rows.children[i].getBoundingClientRect().height);
    canvas.style.height = `${heights.total}px`;
    rows.style.transform = `translateY(${heights.offsetOf(range.from)}px)`;
    if (!this.isPointerDown || !this.logView.following.value) this.setScrollTop(this.targetScrollTop());
    if (this.layout.isTooHigh) {
      const oldest = this.lastScrollTop > heights.total / 2;
      queueMicrotask(() => this.logView.evictLines(oldest));
    } else this.loadMoreIfNear();
    const now = this.renderedRange();
    return now.from < range.from || now.to > range.to;
  }

  /** The list was scrolled, by this class or by the user. */
  onScroll(): void {
    const top = this.viewport.scrollTop;
    if (Math.abs(top - this.lastScrollTop) < 1.5) return;
    const down = top > this.lastScrollTop;
    this.lastScrollTop = top;
    this.setAnchor(top);
    const { logView } = this;
    const isAtEnd = top + this.viewport.clientHeight >= this.layout.heights.total - END_TOLERANCE_PX;
    // A list that gets higher is moved up by the browser, to its end: nobody has scrolled.
    if (!down && !(isAtEnd && logView.following.value)) logView.pause();
    else if (down && isAtEnd && logView.atLiveEnd.value && !logView.following.value) void logView.follow();
    this.redraw();
  }

  /** A wheel event or a key: up pauses, before the list has moved. */
  onScrollIntent(up: boolean): void {
    if (!up || !this.logView.following.value || this.viewport.scrollTop <= 0) return;
    this.setAnchor(this.viewport.scrollTop);
    this.logView.pause();
  }

  /** Is a pointer down on the list? Then the list isn't moved away under it. */
  set pointerDown(held: boolean) {
    this.isPointerDown = held;
    if (!held) this.redraw();
  }

  /** Brings a line into view; `viewportFraction` is where, from 0 (top) to 1. */
  scrollToLine(at: number, viewportFraction?: number): void {
    const index = this.logView.window.indexOf(at);
    if (index < 0) return;
    const { heights } = this.layout;
    const view = this.viewport.clientHeight;
    const start = heights.offsetOf(index);
    const top = this.targetScrollTop();
    const height = Math.min(heights.heightOf(index), view);
    let wanted = top;
    if (viewportFraction !== undefined) wanted = start - (view - height) * viewportFraction;
    else if (start < top + 4) wanted = start - 4;
    else if (start + height > top + view - 4) wanted = start + height - view + 4;
    this.setAnchor(Math.max(0, wanted));
    this.redraw();
  }

  /** Shows the oldest line that is here. */
  scrollToStart(): void {
    this.setAnchor(0);
    this.redraw();
  }

  private setAnchor(top: number): void {
    const { lines } = this.logView.window;
    if (lines.length === 0) return;
    const index = this.layout.heights.indexAt(top);
    if (lines[index])
      this.anchor = { at: lines[index].at, offsetPx: top - this.layout.heights.offsetOf(index) };
  }

  private targetScrollTop(): number {
    const { heights } = this.layout;
    const lowest = Math.max(0, heights.total - this.viewport.clientHeight);
    if (this.logView.following.value) return lowest;
    if (!this.anchor) return Math.min(this.lastScrollTop, lowest);
    const index = this.logView.window.indexOf(this.anchor.at);
    if (index < 0) return 0;
    const isThere = this.logView.window.lines[index].at === this.anchor.at;
    return Math.min(lowest, Math.max(0, heights.offsetOf(index) + (isThere ? this.anchor.offsetPx : 0)));
  }

  private setScrollTop(top: number): void {
    if (Math.abs(this.viewport.scrollTop - top) >= 1) this.viewport.scrollTop = top;
    this.lastScrollTop = this.viewport.scrollTop;
    if (this.logView.following.value) this.setAnchor(this.lastScrollTop);
  }

  private loadMoreIfNear(): void {
    const { logView } = this;
    if (logView.error.value || logView.loading.value) return;
    const below = this.layout.heights.total - this.lastScrollTop - this.viewport.clientHeight;
    if (!logView.following.value && this.lastScrollTop < LOAD_AHEAD_PX) void logView.loadOlder();
    else if (below < LOAD_AHEAD_PX && !logView.atLiveEnd.value) void logView.loadNewer();
  }
}

/** Marks the rows of which not everything is seen: those are unfolded by a button. */
function markFolded(rows: HTMLElement): void {
  const found: HTMLElement[] = [];
  // First all is read, then written: else every row would be laid out by itself.
  for (const button of rows.querySelectorAll<HTMLElement>('.unfold-button')) {
    const text = button.previousElementSibling;
    if (!text || button.dataset.width === String(text.clientWidth)) continue;
    found.push(button);
  }
  const folds = found.map((button) => {
    const text = button.previousElementSibling;
    return text
      ? { width: text.clientWidth, isFolded: text.scrollHeight > text.clientHeight + 1 }
      : undefined;
  });
  for (const [i, fold] of folds.entries()) {
    const button = found[i];
    const row = button.closest<HTMLElement>('.row');
    if (!fold || !row || row.dataset.unfolded === 'true' || row.dataset.expanded === 'true') continue;
    button.dataset.width = String(fold.width);
    if (fold.isFolded !== (row.dataset.folds === 'true')) row.dataset.folds = String(fold.isFolded);
  }
}
