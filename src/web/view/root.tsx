import { useEffect } from 'preact/hooks';
import type { PageState } from '../page-state.ts';
import { describeFilters } from '../saved-searches.ts';
import { formatTimeOfDay, shortDate } from '../text/format.ts';
import { visibleText } from '../text/visible-text.ts';
import { Announcer } from './announcer.tsx';
import { DownloadForm } from './controls/download-form.tsx';
import { NoAppsState, NoLinesState } from './empty-state.tsx';
import { ErrorBanner } from './error-banner.tsx';
import { Footer } from './footer.tsx';
import { LogHistogram } from './histogram/log-histogram.tsx';
import { listenToShortcuts } from './keyboard-shortcuts.ts';
import { LineList } from './list/line-list.tsx';
import { Panel } from './panel.tsx';
import { CommandLineLoginPage } from './session/command-line-login.tsx';
import { SignInPage } from './session/sign-in-form.tsx';
import { ShortcutsHelp } from './shortcuts-help.tsx';
import { TimeForm } from './time-form.tsx';
import { Toolbar } from './toolbar.tsx';

/** Asks how the lines that are looked at are to be downloaded. */
function Download({ page }: { page: PageState }) {
  const range = page.shownRange;
  const zone = page.preferences.zone.value;
  const time = (ms: number): string => `${shortDate(ms, zone)}, ${formatTimeOfDay(ms, zone)}`;
  return (
    <DownloadForm
      what={describeFilters(page.viewLocation.value.filters)}
      range={range ? `${time(range.sinceMs)} to ${time(range.untilMs)}` : ''}
      onClose={() => {
        page.overlay.value = '';
      }}
      onDownload={({ format, gzip, isAll }, onProgress, signal) =>
        page.download({ format, gzip, range: isAll ? undefined : range }, onProgress, signal)
      }
    />
  );
}

/** The whole page. */
export function Root({ page }: { page: PageState }) {
  useEffect(() => listenToShortcuts(page), [page]);
  if (page.isSignedIn.value === undefined) return null;
  if (!page.isSignedIn.value) return <SignInPage page={page} />;
  if (page.session.commandLineLogin.value !== '') return <CommandLineLoginPage page={page} />;
  const logView = page.logView.value;
  const overlay = page.overlay.value;
  return (
    <div class="page">
      <Toolbar page={page} />
      {logView && <LogHistogram key={logView} page={page} logView={logView} />}
      <main class="content">
        <section class="stream" aria-label="Lines">
          <ErrorBanner page={page} />
          {logView ? (
            <LineList
              key={logView}
              page={page}
              logView={logView}
              empty={<NoLinesState page={page} logView={logView} />}
            />
          ) : (
            <NoAppsState page={page} />
          )}
        </section>
        {page.preferences.panel.value && <Panel page={page} />}
      </main>
      <Footer page={page} />
      {logView && <Announcer key={logView} logView={logView} />}
      {overlay === 'help' && <ShortcutsHelp page={page} />}
      {overlay === 'time' && <TimeForm page={page} />}
      {overlay === 'download' && <Download page={page} />}
      <output class="notice" data-shown={page.notice.value !== ''}>
        {visibleText(page.notice.value)}
      </output>
    </div>
  );
}
