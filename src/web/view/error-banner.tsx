import { useEffect, useState } from 'preact/hooks';
import type { PageState } from '../page-state.ts';
import type { LogView } from '../stream/log-view.ts';
import { formatDurationMs } from '../text/format.ts';
import { visibleText } from '../text/visible-text.ts';

/** What is wrong, and when it is tried again. */
export function ErrorBanner({ page }: { page: PageState }) {
  const logView = page.logView.value;
  const text = bannerText(page, logView);
  const state = logView?.tailState.value;
  const waitMs = state?.name === 'unreachable' ? state.retryAtMs - Date.now() : 0;
  const [, tick] = useState(0);
  useEffect(() => {
    if (!text) return undefined;
    const timer = setInterval(() => tick(Date.now()), 500);
    return () => clearInterval(timer);
  }, [text !== '']);
  if (!text) return null;
  return (
    <div class="error-banner" role="alert">
      <p>
        {visibleText(text)}
        {/* An alert is read aloud each time that it changes. */}
        {waitMs > 900 && <span aria-hidden="true"> Next attempt in {formatDurationMs(waitMs)}.</span>}
      </p>
      <button type="button" onClick={() => page.retry()}>
        {page.isReplaced.value ? 'Show that one' : 'Try now'}
      </button>
    </div>
  );
}

function bannerText(page: PageState, logView: LogView | undefined): string {
  const state = logView?.tailState.value;
  if (state?.name === 'unreachable')
    return 'The server is unreachable. Lines resume where they stopped as soon as it is back.';
  if (page.isReplaced.value)
    return `The app whose lines these are is gone. Another one is called ${page.viewLocation.value.app} now.`;
  if (state?.name === 'refused') return state.message;
  if (logView?.notice.value) return logView.notice.value;
  // What a field says already isn't said twice.
  if (logView?.error.value && !page.fault.value) return logView.error.value;
  return page.unreachable.value ? 'The server is unreachable.' : '';
}
