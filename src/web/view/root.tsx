import { useEffect } from 'preact/hooks';
import type { PageState } from '../page.ts';
import { Toolbar } from './bar.tsx';
import { Footer } from './footer.tsx';
import { RateChart } from './gauge.tsx';
import { ShortcutsHelp } from './help.tsx';
import { ApiKeyForm } from './key-form.tsx';
import { listenToShortcuts } from './keyboard.ts';
import { LineList } from './list/lines.tsx';
import { NoAppsState } from './nothing.tsx';
import { Panel } from './panel.tsx';
import { TimeForm } from './time-form.tsx';
import { ErrorBanner } from './trouble.tsx';

/** The whole page. */
export function Root({ page }: { page: PageState }) {
  useEffect(() => listenToShortcuts(page), [page]);
  if (page.key.value === '') return <ApiKeyForm page={page} />;
  const logView = page.logView.value;
  const overlay = page.overlay.value;
  return (
    <div class="page">
      <Toolbar page={page} />
      {logView && <RateChart page={page} logView={logView} />}
      <main class="middle">
        <section class="stream" aria-label="Lines">
          <ErrorBanner page={page} />
          {logView ? <LineList key={logView} page={page} logView={logView} /> : <NoAppsState page={page} />}
        </section>
        {page.preferences.panel.value && <Panel page={page} />}
      </main>
      <Footer page={page} />
      {overlay === 'help' && <ShortcutsHelp page={page} />}
      {overlay === 'time' && <TimeForm page={page} />}
      <output class="notice" data-shown={page.notice.value !== ''}>
        {page.notice.value}
      </output>
    </div>
  );
}
