import { useRef, useState } from 'preact/hooks';
import type { PageState } from '../page-state.ts';
import { formatDate, formatTimeOfDay } from '../text/format.ts';
import { parseTimeInput } from '../text/parse-time.ts';
import { Modal } from './modal.tsx';

const RECENT_TIMES = ['1m', '5m', '15m', '1h', '6h', '1d'];

/** Asks for a time to jump to. */
export function TimeForm({ page }: { page: PageState }) {
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const ms = parseTimeInput(text, Date.now());
  const jumpTo = (wanted: number | undefined): void => {
    if (wanted === undefined) return;
    page.overlay.value = '';
    void page.jumpToTime(wanted);
  };
  return (
    <Modal page={page} title="Jump to a time">
      <form
        class="time-form"
        onSubmit={(event) => {
          event.preventDefault();
          jumpTo(ms);
        }}
      >
        <div class="recent-times">
          {RECENT_TIMES.map((ago) => (
            <button key={ago} type="button" onClick={() => jumpTo(parseTimeInput(ago, Date.now()))}>
              {ago} ago
            </button>
          ))}
        </div>
        <label>
          <span>or at</span>
          <input
            ref={box}
            name="time"
            autocomplete="off"
            placeholder="14:05   2026-11-21 14:05   90s"
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="hint">
          {ms !== undefined
            ? `${formatDate(ms)}, ${formatTimeOfDay(ms)}`
            : text.trim()
              ? 'A time of day, a date with a time, or how long ago.'
              : 'Local time.'}
        </p>
        <button type="submit" disabled={ms === undefined}>
          Jump
        </button>
      </form>
    </Modal>
  );
}
