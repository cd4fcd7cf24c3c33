import { linesAsText } from '../../text/line-text.ts';
import { visibleText } from '../../text/visible-text.ts';
import { DialogForm, typedText } from '../../view/controls/dialog-form.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import { KeyList } from '../../view/shortcuts-help.tsx';
import type { SavedSearchJson } from '../api/viewer-json.ts';
import { PasswordDialog } from '../session/password-dialog.tsx';
import type { ViewerPage } from '../viewer-page.ts';
import { TimeRangeDialog } from './time-range.tsx';

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['space', 'pause, and follow again'],
  ['j  k', 'next line, line before'],
  ['enter', 'expand the line: its fields, its whole message'],
  ['e  E', 'next error, error before'],
  ['x', 'everything around the line'],
  ['c', 'copy a link to the line'],
  ['y', 'copy the line as text'],
  ['g', 'the oldest lines that are here; again for older ones'],
  ['G', 'the newest line, and follow'],
  ['t', 'of what time'],
  ['s', 'save the search'],
  ['D', 'download or copy what is found'],
  ['u', 'times in UTC, or local'],
  ['w', 'wrap long lines, or cut them off'],
  ['d', 'searches and fields'],
  ['esc', 'close, or clear the search'],
  ['?', 'this'],
];

const GRAMMAR: readonly (readonly [string, string])[] = [
  ['timeout db', 'both, anywhere, in any case'],
  ['"could not connect"', "this text; 'single quotes' too"],
  ['-healthcheck', 'without it; also -"two words", -(a OR b), -status:200'],
  ['timeout OR refused', 'one of them, or both'],
  ['api (timeout OR refused)', 'api, and one of the others'],
  ['program:web.1', 'of a process; source:router, dyno:web, sender:db-1'],
  ['severity:error', 'this serious, or more'],
  ['status:>=500', 'a number in a field; also duration:>1s, bytes:<10kb'],
  ['user.id:7', 'a field of JSON, logfmt or structured data'],
  ['path:/api/*', 'a field that begins with it'],
  ['user.id:*', 'lines that have the field'],
  ['/status=5\\d\\d/', 'a regular expression (RE2)'],
  ['since:1h until:10m', 'of what time; also since:"2026-01-31 12:00"'],
];

/** What covers the page of lines. */
export function ViewerDialogs({ page }: { page: ViewerPage }) {
  const close = (): void => {
    page.overlay.value = '';
  };
  switch (page.overlay.value) {
    case 'help':
      return (
        <Modal title="Keys" onClose={close}>
          <KeyList keys={KEYS} />
        </Modal>
      );
    case 'grammar':
      return <GrammarHelp page={page} />;
    case 'time':
      return <TimeRangeDialog page={page} />;
    case 'save':
      return <SaveSearchDialog page={page} />;
    case 'download':
      return <DownloadDialog page={page} />;
    case 'password':
      return <PasswordDialog page={page} />;
    default:
      return null;
  }
}

function GrammarHelp({ page }: { page: ViewerPage }) {
  return (
    <Modal
      title="What a search may say"
      onClose={() => {
        page.overlay.value = '';
      }}
    >
      <dl class="grammar">
        {GRAMMAR.map(([example, meaning]) => (
          <div key={example}>
            <dt>
              <button
                type="button"
                title="Search for this"
                onClick={() => {
                  page.overlay.value = '';
                  void page.changeSelection({ q: example });
                }}
              >
                <code>{example}</code>
              </button>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        Searches of Papertrail work as they are. What can’t be read is said below the box; the lines stay
        meanwhile.
      </p>
    </Modal>
  );
}

function SaveSearchDialog({ page }: { page: ViewerPage }) {
  const { q, group, stream } = page.selection;
  const close = (): void => {
    page.overlay.value = '';
  };
  const save = async (values: FormData): Promise<void> => {
    const ofStream = page.streams().find(({ id }) => id === stream);
    const { id } = await page.client.change<SavedSearchJson>('POST', 'api/searches', {
      name: typedText(values, 'name'),
      q,
      ...(ofStream ? { group: ofStream.group, streams: [stream] } : group && { group }),
    });
    close();
    page.showNotice('Search saved');
    await page.loadSavedSearches();
    if (!values.has('alert')) return;
    page.newAlertOn.value = id;
    await page.goTo('alerts');
  };
  return (
    <Modal title="Save this search" onClose={close}>
      <DialogForm onSubmit={save} buttons={<button type="submit">Save</button>}>
        <pre class="saved-query">{q ? visibleText(q) : 'all lines'}</pre>
        <label>
          <span>Name</span>
          <input name="name" autocomplete="off" required maxLength={100} />
        </label>
        <label class="check">
          <input type="checkbox" name="alert" />
          <span>Tell me when it finds something</span>
        </label>
      </DialogForm>
    </Modal>
  );
}

function DownloadDialog({ page }: { page: ViewerPage }) {
  const feed = page.feed.value;
  const close = (): void => {
    page.overlay.value = '';
  };
  const FILES = [
    ['text', false, 'Text'],
    ['text', true, 'Text, gzip'],
    ['ndjson', false, 'NDJSON'],
    ['ndjson', true, 'NDJSON, gzip'],
  ] as const;
  return (
    <Modal title="Download or copy" onClose={close}>
      <p class="hint">All lines that the search finds, the oldest first:</p>
      <div class="download-links">
        {FILES.map(([format, gzip, label]) => (
          <a key={label} href={page.downloadLink(format, gzip)} download>
            <Icon name="download" /> {label}
          </a>
        ))}
      </div>
      <p class="hint">Those that are in the list now:</p>
      <div class="download-links">
        <button
          type="button"
          disabled={!feed || feed.lineCount === 0}
          onClick={() => {
            close();
            void page.copyToClipboard(linesAsText(feed?.window.lines ?? []), 'Lines');
          }}
        >
          <Icon name="copy" /> Copy as text
        </button>
      </div>
    </Modal>
  );
}
