/** What the list of lines is told and what it asks for, so that it is the same list on every page that has one. */
import type { ReadonlySignal } from '@preact/signals';
import type { Line } from '../../stream/line.ts';
import type { LineWindow } from '../../stream/line-window.ts';
import type { TimeZone } from '../../text/format.ts';

/** The lines of a list: a part of the past that grows to either side, or the live end. */
export interface LineFeed {
  readonly window: LineWindow;
  /** Where the row stands that has a line, when that is another one. */
  rowOf?(at: number): number;
  /** Which lines there are: `q` is what is highlighted in them. */
  readonly filters: { readonly q: string };
  /** Grows whenever the window has changed. */
  readonly version: ReadonlySignal<number>;
  /** Does the list stay at the newest line? */
  readonly following: ReadonlySignal<boolean>;
  /** Lines that came since it doesn't. */
  readonly unseenCount: ReadonlySignal<number>;
  /** Is the window's end the live end? */
  readonly atLiveEnd: ReadonlySignal<boolean>;
  readonly loading: ReadonlySignal<'' | 'all' | 'older' | 'newer'>;
  /** Why a part of the past couldn't be read, or ''. */
  readonly error: ReadonlySignal<string>;
  pause(): void;
  follow(): Promise<void>;
  loadOlder(): Promise<void>;
  loadNewer(): Promise<void>;
  /** The list can't be as high as the lines are: some go, the oldest or the newest. */
  evictLines(oldest: boolean): void;
}

/** The page around a list. Lines are named by {@link Line.at}. */
export interface LineListHost {
  readonly preferences: {
    readonly wrap: ReadonlySignal<boolean>;
    /** In which times are shown; local time when it is left out. */
    readonly zone?: ReadonlySignal<TimeZone>;
  };
  /** Are other lines being read, to be shown instead? */
  readonly isOpening?: ReadonlySignal<boolean>;
  /** The selected line; 0 for none. */
  readonly selectedPosition: ReadonlySignal<number>;
  readonly expanded: ReadonlySignal<ReadonlySet<number>>;
  /** Lines of many rows that are shown to their end. */
  readonly unfolded?: ReadonlySignal<ReadonlySet<number>>;
  /** Are there lines that aren't shown? */
  readonly hasHiddenLines: boolean;
  /** Somebody has clicked on the list: true when that did something to the page around it, and isn't for a line. */
  onListClick(): boolean;
  selectLine(at: number): void;
  toggleExpanded(at: number): void;
  toggleUnfolded?(at: number): void;
  follow(): Promise<void>;
  /** Shows the lines of a line's sender alone. */
  showOnlyOrigin(line: Line): void;
  searchFor(q: string): void;
  /** What is searched for; '' when it is left out. */
  readonly currentSearch?: string;
  /** The address of a search, for links. */
  searchAddress?(q: string): string;
  /** Names of fields that are shown beside the text. */
  readonly columns?: ReadonlySignal<readonly string[]>;
  toggleColumn?(key: string): void;
  showInContext(line: Line): Promise<void>;
  linkTo(line: Line): string;
  copyToClipboard(text: string, label: string): Promise<void>;
  /** Where on the screen the selected line should come to, once after a jump; else as little as needed moves. */
  takeScrollFraction(): number | undefined;
  /** Calls `listener` when the oldest line is wanted, until the returned function is called. */
  onScrollToStart(listener: () => void): () => void;
}
