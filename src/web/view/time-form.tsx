import { useRef, useState } from 'preact/hooks';
import type { Page } from '../page.ts';
import { readWhen } from '../text/when.ts';
import { clock, day } from '../text/words.ts';
import { Sheet } from './sheet.tsx';

const SOON = ['1m', '5m', '15m', '1h', '6h', '1d'];

/** Asks for a time to jump to. */
export function TimeForm({ page }: { page: Page }) {
  const box = useRef<HTMLInputElement>(null);
  const [text, write] = useState('');
  const ms = readWhen(text, Date.now());
  const go = (wanted: number | undefined): void => {
    if (wanted === undefined) return;
    page.overlay.value = '';
    void page.jump(wanted);
  };
  return (
    <Sheet page={page} title="Jump to a time">
      <form
        class="time-form"
        onSubmit={(event) => {
          event.preventDefault();
          go(ms);
        }}
      >
        <div class="soon">
          {SOON.map((ago) => (
            <button key={ago} type="button" onClick={() => go(readWhen(ago, Date.now()))}>
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
            onInput={(event) => write(event.currentTarget.value)}
          />
        </label>
        <p class="aside">
          {ms !== undefined
            ? `${day(ms)}, ${clock(ms)}`
            : text.trim()
              ? 'A time of day, a date with a time, or how long ago.'
              : 'Local time.'}
        </p>
        <button type="submit" disabled={ms === undefined}>
          Jump
        </button>
      </form>
    </Sheet>
  );
}
