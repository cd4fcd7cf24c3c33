import { useRef, useState } from 'preact/hooks';
import { explainTime, parseTime } from '../../common/time-expression.ts';
import type { PageState } from '../page-state.ts';
import { serverNowMs } from '../stream/server-clock.ts';
import { formatDate, formatTimeOfDay } from '../text/format.ts';
import { Modal } from './modal.tsx';

const RECENT_TIMES = ['1m', '5m', '15m', '1h', '6h', '1d'];

/** Asks for a time to jump to. */
export function TimeForm({ page }: { page: PageState }) {
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const ms = parseTime(text, serverNowMs());
  const jumpTo = (wanted: number | undefined): void => {
    if (wanted === undefined) return;
    page.overlay.value = '';
    void page.jumpToTime(wanted);
  };
  return (
    <Modal
      title="Jump to a time"
      onClose={() => {
        page.overlay.value = '';
      }}
    >
      <form
        class="time-form"
        onSubmit={(event) => {
          event.preventDefault();
          jumpTo(ms);
        }}
      >
        <div class="recent-times">
          {RECENT_TIMES.map((ago) => (
            <button key={ago} type="button" onClick={() => jumpTo(parseTime(ago, serverNowMs()))}>
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
              ? explainTime(text.trim())
              : 'Local time.'}
        </p>
        <button type="submit" disabled={ms === undefined}>
          Jump
        </button>
      </form>
    </Modal>
  );
}
