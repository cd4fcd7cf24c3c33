import { signal } from '@preact/signals';
import { COLUMNS_MAX, loadPreferences } from '../../preferences.ts';

/** A line that was jumped to stands at this part of the visible height. */
const JUMP_SCROLL_FRACTION = 0.35;
const NOTICE_MS = 2_500;

/** What every page around a list of lines knows and does, of what {@link LineListHost} asks for. */
export abstract class ListPage {
  readonly preferences = loadPreferences();
  readonly columns = this.preferences.columns;
  /** Where the selected line is; 0 for none. */
  readonly selectedPosition = signal(0);
  readonly expanded = signal<ReadonlySet<number>>(new Set());
  readonly unfolded = signal<ReadonlySet<number>>(new Set());
  /** What was just done, shown shortly; or ''. */
  readonly notice = signal('');
  private noticeTimer: number | undefined;
  private scrollFraction: number | undefined;
  private scrollToStartListener = (): void => {};

  /** The list stops following what comes. */
  protected abstract pauseList(): void;

  toggleExpanded(at: number): void {
    this.expanded.value = toggled(this.expanded.value, at);
  }

  toggleUnfolded(at: number): void {
    this.unfolded.value = toggled(this.unfolded.value, at);
  }

  /** Shows a field beside the text, or no longer. */
  toggleColumn(key: string): void {
    const { columns } = this;
    if (columns.value.includes(key)) columns.value = columns.value.filter((one) => one !== key);
    else if (columns.value.length < COLUMNS_MAX) columns.value = [...columns.value, key];
    else this.showNotice(`${COLUMNS_MAX} columns are the most.`);
  }

  /** A click beside a panel that covers the lines closes it. */
  onListClick(): boolean {
    const { panel } = this.preferences;
    if (!this.preferences.isPanelOverlay() || !panel.value) return false;
    panel.value = false;
    return true;
  }

  /** Goes to the oldest line that is here. */
  scrollToStart(): void {
    this.pauseList();
    this.scrollToStartListener();
  }

  /** Calls `listener` for {@link scrollToStart}, until the returned function is called. */
  onScrollToStart(listener: () => void): () => void {
    this.scrollToStartListener = listener;
    return () => {
      this.scrollToStartListener = () => {};
    };
  }

  /** Where on the screen the selected line should come to, once after a jump; else as little as needed moves. */
  takeScrollFraction(): number | undefined {
    const { scrollFraction } = this;
    this.scrollFraction = undefined;
    return scrollFraction;
  }

  async copyToClipboard(text: string, label: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.showNotice(`${label} copied`);
    } catch {
      this.showNotice('The browser doesn’t let this page copy.');
    }
  }

  showNotice(notice: string): void {
    this.notice.value = notice;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => {
      this.notice.value = '';
    }, NOTICE_MS);
  }

  /** The line that is selected next is jumped to. */
  protected jumpNext(): void {
    this.scrollFraction = JUMP_SCROLL_FRACTION;
  }

  /** Other lines are shown: none of them is selected, or opened. */
  protected resetRows(): void {
    this.selectedPosition.value = 0;
    this.expanded.value = new Set();
    this.unfolded.value = new Set();
  }
}

function toggled(set: ReadonlySet<number>, at: number): ReadonlySet<number> {
  const changed = new Set(set);
  if (!changed.delete(at)) changed.add(at);
  return changed;
}
