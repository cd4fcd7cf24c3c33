import { searchHint } from '../../logs/query/search-hint.ts';
import type { PageState } from '../page-state.ts';
import { isFiltered, NO_FILTERS } from '../stream/filters.ts';
import type { LogView } from '../stream/log-view.ts';
import { visibleText } from '../text/visible-text.ts';
import { Logo } from './icon.tsx';

/** The server has no app yet. */
export function NoAppsState({ page }: { page: PageState }) {
  if (!page.apps.value || page.apps.value.length > 0) return null;
  return (
    <div class="empty-state">
      <Logo />
      <h2>No app yet</h2>
      <p>An app is a name, tokens for whoever sends lines, and one stream. Make one in a terminal:</p>
      <pre>
        <b>$</b> tailrace create my-app
      </pre>
    </div>
  );
}

/** How a search is written here that is written as elsewhere. */
export function SearchHint({ search }: { search: string }) {
  const hint = searchHint(search);
  return hint === undefined ? null : <p class="hint">{visibleText(hint)}</p>;
}

/** There is nothing in the window. */
export function NoLinesState({ page, logView }: { page: PageState; logView: LogView }) {
  if (logView.loading.value === 'all' || logView.error.value) return null;
  const app = visibleText(
    page.showsAllApps ? (page.apps.value?.[0]?.name ?? '') : page.viewLocation.value.app,
  );
  if (isFiltered(logView.filters))
    return (
      <div class="empty-state">
        <Logo />
        <h2>No line matches</h2>
        <p>All of the stream was looked through. New lines that match will show up here.</p>
        <SearchHint search={logView.filters.q} />
        <button type="button" onClick={() => void page.changeFilters(NO_FILTERS)}>
          Show all lines
        </button>
      </div>
    );
  return (
    <div class="empty-state">
      <Logo />
      <h2>No lines yet</h2>
      <p>The lines of {app} show up here as they come. Send one:</p>
      <pre>
        <b>$</b> tailrace log "hello" -a {app}
      </pre>
    </div>
  );
}
