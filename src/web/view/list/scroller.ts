/**
 * Keeps the list of lines where it belongs while lines come and go around what is looked at: at its end while it follows,
 * else with the same line at the same place. The browser's own scrolling stays in charge: this only sets where it is.
 */

import type { Reading } from '../../stream/reading.ts';
import { Layout, type Measures } from './layout.ts';

/** Rows beyond the visible part, in pixels: a flick of the finger shouldn't outrun them. */
const BEYOND = 600;
/** So close to an end of the window (in pixels), more is asked for. */
const NEAR = 2_500;
/** This close to the end is the end. */
const END = 6;

export interface Range {
  readonly from: number;
  readonly to: number;
}

interface Anchor {
  /** Position of the line at the upper edge, and how much of it is above the edge. */
  readonly at: number;
  readonly above: number;
}

export class Scroller {
  readonly layout: Layout;
  private readonly reading: Reading;
  private readonly box: HTMLElement;
  private readonly redraw: () => void;
  private anchor: Anchor | undefined;
  /** Where this class has put the list: what isn't there was moved by somebody. */
  private put = 0;
  private touched = false;

  constructor(box: HTMLElement, reading: Reading, measures: Measures, redraw: () => void) {
    this.box = box;
    this.reading = reading;
    this.layout = new Layout(measures);
    this.redraw = redraw;
  }

  /** What has to be drawn now. */
  range(): Range {
    const { lines } = this.reading.window;
    this.layout.update(lines);
    const { heights } = this.layout;
    if (lines.length === 0) return { from: 0, to: 0 };
    const top = this.wantedTop();
    const from = heights.indexAt(top - BEYOND);
    const to = heights.indexAt(top + this.box.clientHeight + BEYOND) + 1;
    return { from, to };
  }

  /** After drawing: takes the real heights, and puts everything in its place. True when more has to be drawn. */
  settle(canvas: HTMLElement, rows: HTMLElement, range: Range): boolean {
    const { heights } = this.layout;
    for (let i = 0; i < rows.children.length; i++)
      heights.set(range.from + i, rows.children[i].getBoundingClientRect().height);
    canvas.style.height = `${heights.total}px`;
    rows.style.transform = `translateY(${heights.offsetOf(range.from)}px)`;
    if (!this.touched || !this.reading.following.value) this.moveTo(this.wantedTop());
    if (this.layout.isTooHigh) {
      const oldest = this.put > heights.total / 2;
      queueMicrotask(() => this.reading.shorten(oldest));
    } else this.askForMore();
    const now = this.range();
    return now.from < range.from || now.to > range.to;
  }

  /** The list was scrolled, by this class or by somebody. */
  scrolled(): void {
    const top = this.box.scrollTop;
    if (Math.abs(top - this.put) < 1.5) return;
    const down = top > this.put;
    this.put = top;
    this.keep(top);
    const { reading } = this;
    const isAtEnd = top + this.box.clientHeight >= this.layout.heights.total - END;
    if (!down) reading.hold();
    else if (isAtEnd && reading.attached.value && !reading.following.value) void reading.follow();
    this.redraw();
  }

  /** Somebody turns the wheel: up means stop, before the list has moved. */
  turned(up: boolean): void {
    if (!up || !this.reading.following.value || this.box.scrollTop <= 0) return;
    this.keep(this.box.scrollTop);
    this.reading.hold();
  }

  /** A finger or a pressed button is on the list: it isn't moved away under it. */
  set held(held: boolean) {
    this.touched = held;
    if (!held) this.redraw();
  }

  /** Brings a line into view; `share` says where, from 0 (top) to 1. */
  show(at: number, share?: number): void {
    const index = this.reading.window.indexOf(at);
    if (index < 0) return;
    const { heights } = this.layout;
    const view = this.box.clientHeight;
    const start = heights.offsetOf(index);
    const top = this.wantedTop();
    const height = Math.min(heights.heightOf(index), view);
    let wanted = top;
    if (share !== undefined) wanted = start - (view - height) * share;
    else if (start < top + 4) wanted = start - 4;
    else if (start + height > top + view - 4) wanted = start + height - view + 4;
    this.keep(Math.max(0, wanted));
    this.redraw();
  }

  /** Keeps the same line in place, from now on. */
  keepPlace(): void {
    this.keep(this.box.scrollTop);
  }

  /** Moves by a part of what is visible. */
  toStart(): void {
    this.keep(0);
    this.redraw();
  }

  private keep(top: number): void {
    const { lines } = this.reading.window;
    if (lines.length === 0) return;
    const index = this.layout.heights.indexAt(top);
    if (lines[index]) this.anchor = { at: lines[index].at, above: top - this.layout.heights.offsetOf(index) };
  }

  private wantedTop(): number {
    const { heights } = this.layout;
    const lowest = Math.max(0, heights.total - this.box.clientHeight);
    if (this.reading.following.value) return lowest;
    if (!this.anchor) return Math.min(this.put, lowest);
    const index = this.reading.window.indexOf(this.anchor.at);
    if (index < 0) return 0;
    const isThere = this.reading.window.lines[index].at === this.anchor.at;
    return Math.min(lowest, Math.max(0, heights.offsetOf(index) + (isThere ? this.anchor.above : 0)));
  }

  private moveTo(top: number): void {
    if (Math.abs(this.box.scrollTop - top) >= 1) this.box.scrollTop = top;
    this.put = this.box.scrollTop;
    if (this.reading.following.value) this.keep(this.put);
  }

  private askForMore(): void {
    const { reading } = this;
    if (reading.failure.value || reading.loading.value) return;
    const below = this.layout.heights.total - this.put - this.box.clientHeight;
    if (!reading.following.value && this.put < NEAR) void reading.loadOlder();
    else if (below < NEAR && !reading.attached.value) void reading.loadNewer();
  }
}
