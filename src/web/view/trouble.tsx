import { useEffect, useState } from 'preact/hooks';
import type { Page } from '../page.ts';
import type { Reading } from '../stream/reading.ts';
import { duration } from '../text/words.ts';

/** What goes wrong, and what is done about it. */
export function Trouble({ page }: { page: Page }) {
  const reading = page.reading.value;
  const text = describe(page, reading);
  const [, tick] = useState(0);
  useEffect(() => {
    if (!text) return undefined;
    const timer = setInterval(() => tick(Date.now()), 500);
    return () => clearInterval(timer);
  }, [text !== '']);
  if (!text) return null;
  return (
    <div class="trouble" role="alert">
      <p>{text}</p>
      <button type="button" onClick={() => page.retry()}>
        Try now
      </button>
    </div>
  );
}

function describe(page: Page, reading: Reading | undefined): string {
  const state = reading?.tailState.value;
  if (state?.name === 'away') {
    const wait = state.retryAtMs - Date.now();
    return `The server is away. Lines go on where they stopped as soon as it is back${wait > 900 ? `: next attempt in ${duration(wait)}` : ''}.`;
  }
  if (state?.name === 'refused') return state.message;
  if (reading?.notice.value) return reading.notice.value;
  if (reading?.failure.value) return reading.failure.value;
  return page.away.value ? 'The server is away.' : '';
}
