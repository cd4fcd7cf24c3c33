import { isFiltered, NO_FILTERS } from '../address.ts';
import type { Page } from '../page.ts';
import type { Reading } from '../stream/reading.ts';
import { Waves } from './icon.tsx';

/** The server has no app yet. */
export function NoApps({ page }: { page: Page }) {
  if (!page.apps.value || page.apps.value.length > 0) return null;
  return (
    <div class="nothing">
      <Waves />
      <h2>No app yet</h2>
      <p>An app is a name, tokens for whoever sends lines, and one stream. Make one in a terminal:</p>
      <pre>
        <b>$</b> tailrace create my-app
      </pre>
    </div>
  );
}

/** There is nothing in the window. */
export function NoLines({ page, reading }: { page: Page; reading: Reading }) {
  if (reading.loading.value === 'all' || reading.failure.value) return null;
  if (isFiltered(reading.filters))
    return (
      <div class="nothing">
        <Waves />
        <h2>No line matches</h2>
        <p>All of the stream was looked through. New lines that match will show up here.</p>
        <button type="button" onClick={() => void page.filter(NO_FILTERS)}>
          Show all lines
        </button>
      </div>
    );
  return (
    <div class="nothing">
      <Waves />
      <h2>Still water</h2>
      <p>{reading.app} has no lines yet. They show up here as they come; send one:</p>
      <pre>
        <b>$</b> tailrace log "hello" -a {reading.app}
      </pre>
    </div>
  );
}
