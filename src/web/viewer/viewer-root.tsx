import { useEffect } from 'preact/hooks';
import { visibleText } from '../text/visible-text.ts';
import { LogsPage } from './logs/logs-page.tsx';
import { ViewerDialogs } from './logs/viewer-dialogs.tsx';
import { listenToViewerKeys } from './logs/viewer-keys.ts';
import { AdmissionForm, SignInForm } from './session/sign-in-forms.tsx';
import { AlertsPage } from './settings/alerts-page.tsx';
import { ArchivesPage } from './settings/archives-page.tsx';
import { PeoplePage } from './settings/people-page.tsx';
import { StreamsPage } from './settings/streams-page.tsx';
import { ViewerBar } from './viewer-bar.tsx';
import type { ViewerPage } from './viewer-page.ts';

/** The whole page of the viewer. */
export function ViewerRoot({ page }: { page: ViewerPage }) {
  useEffect(() => listenToViewerKeys(page), [page]);
  const session = page.client.session.value;
  const admission = page.admission.value;
  if (admission && !session) return <AdmissionForm page={page} admission={admission} />;
  if (session === null) return <SignInForm page={page} />;
  return (
    <div class="page viewer-page">
      <ViewerBar page={page} />
      {page.error.value ? (
        <div class="error-banner" role="alert">
          <p>{visibleText(page.error.value)}</p>
          <button
            type="button"
            onClick={() => {
              page.error.value = '';
              if (!session) void page.resume();
            }}
          >
            {session ? 'Close' : 'Try again'}
          </button>
        </div>
      ) : (
        <span />
      )}
      {session ? <Place page={page} /> : <main class="content" />}
      {session && <ViewerDialogs page={page} />}
      <output class="notice" data-shown={page.notice.value !== ''}>
        {visibleText(page.notice.value)}
      </output>
    </div>
  );
}

function Place({ page }: { page: ViewerPage }) {
  switch (page.address.value.section) {
    case 'logs':
      return <LogsPage page={page} />;
    case 'alerts':
      return <AlertsPage page={page} />;
    case 'archives':
      return <ArchivesPage page={page} />;
    case 'streams':
      return <StreamsPage page={page} />;
    case 'people':
      return <PeoplePage page={page} />;
  }
}
