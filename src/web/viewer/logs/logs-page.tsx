import { formatCount } from '../../../common/text/format-numbers.ts';
import { formatDate, formatTimeOfDay } from '../../text/format.ts';
import { visibleText } from '../../text/visible-text.ts';
import { SearchHint } from '../../view/empty-state.tsx';
import { Logo } from '../../view/icon.tsx';
import { LineList } from '../../view/list/line-list.tsx';
import type { ViewerFeed } from '../lines/viewer-feed.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { CountsChart } from './counts-chart.tsx';
import { FieldsPanel } from './fields-panel.tsx';
import { GroupTable } from './group-table.tsx';
import { LinesStatus } from './lines-status.tsx';
import { LogsToolbar } from './logs-toolbar.tsx';

/** Lines: what to search for, how many there are over time, the list, and the fields beside it. */
export function LogsPage({ page }: { page: ViewerPage }) {
  const feed = page.feed.value;
  const { by } = page.address.value;
  const streams = page.selectedStreams();
  return (
    <>
      <div class="logs-head">
        <LogsToolbar page={page} />
        <CountsChart page={page} />
      </div>
      <main class="content" data-many-streams={streams.length > 1}>
        <section class="stream" aria-label="Lines">
          <FeedBanner page={page} feed={feed} />
          {by !== '' ? (
            <GroupTable page={page} field={by} />
          ) : feed ? (
            <div class="list-box">
              <LineList
                key={feed}
                page={page}
                logView={feed}
                empty={<NothingFound page={page} feed={feed} />}
              />
            </div>
          ) : (
            <NoStreams page={page} />
          )}
        </section>
        {page.preferences.panel.value && <FieldsPanel page={page} />}
      </main>
      <LinesStatus page={page} feed={feed} />
    </>
  );
}

/** What is wrong with the lines, and when it is tried again. */
function FeedBanner({ page, feed }: { page: ViewerPage; feed: ViewerFeed | undefined }) {
  const state = feed?.tailState.value;
  const text =
    state?.name === 'unreachable'
      ? 'The server is unreachable. Lines resume where they stopped as soon as it is back.'
      : state?.name === 'refused'
        ? state.message
        : feed?.notice.value || feed?.error.value;
  if (!text) return null;
  return (
    <div class="error-banner" role="alert">
      <p>{visibleText(text)}</p>
      <button
        type="button"
        onClick={() => {
          void page.loadGroups();
          feed?.retry();
        }}
      >
        Try now
      </button>
    </div>
  );
}

function NothingFound({ page, feed }: { page: ViewerPage; feed: ViewerFeed }) {
  const searchedToMs = feed.searchedToMs.value;
  if (searchedToMs !== undefined)
    return (
      <div class="empty-state">
        <Logo />
        <h2>Nothing yet</h2>
        <p>
          Looked back to {formatDate(searchedToMs)}, {formatTimeOfDay(searchedToMs)}, and going on …
        </p>
      </div>
    );
  if (feed.loading.value === 'all' || feed.error.value) return null;
  if (page.hasHiddenLines)
    return (
      <div class="empty-state">
        <Logo />
        <h2>No line matches</h2>
        <p>
          All that is kept was looked through.{' '}
          {page.selection.to ? '' : 'New lines that match will show up here.'}
        </p>
        <SearchHint search={page.selection.q} />
        <button type="button" onClick={() => void page.changeSelection({ q: '', from: '', to: '' })}>
          Show all lines
        </button>
      </div>
    );
  return (
    <div class="empty-state">
      <Logo />
      <h2>No lines yet</h2>
      <p>They show up here as they come. Where to send them to:</p>
      <button type="button" onClick={() => void page.goTo('streams')}>
        Addresses of {formatCount(page.selectedStreams().length, 'stream')}
      </button>
    </div>
  );
}

function NoStreams({ page }: { page: ViewerPage }) {
  if (!page.groups.value || page.streams().length > 0) return null;
  return (
    <div class="empty-state">
      <Logo />
      <h2>No streams yet</h2>
      <p>A stream is what one app or machine sends. Make one, and it has an address for a drain.</p>
      <button type="button" onClick={() => void page.goTo('streams')}>
        Make a stream
      </button>
    </div>
  );
}
