import { useEffect } from 'preact/hooks';
import { formatBytes, formatCount } from '../../../common/text/format-numbers.ts';
import { SearchField } from '../../view/controls/search-field.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import { KeyList } from '../../view/shortcuts-help.tsx';
import { PageFrame } from '../shared/page-frame.tsx';
import type { InboxState } from './inbox-state.ts';
import { MailList } from './mail-list.tsx';
import { MailView } from './mail-view.tsx';

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search senders, recipients and subjects'],
  ['j  k', 'next mail, mail before'],
  ['h  t', 'its HTML, its text'],
  ['l', 'its links'],
  ['s', 'its source'],
  ['u', 'mark as unread'],
  ['d', 'delete it'],
  ['esc', 'back to the list, or end the search'],
  ['?', 'this'],
];

/** The whole page. */
export function Inbox({ inbox }: { inbox: InboxState }) {
  const { value: status } = inbox.status;
  const { value: selected } = inbox.selectedId;
  useEffect(() => {
    document.querySelector('.mails [data-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  const closeOverlay = (): void => {
    inbox.overlay.value = '';
  };
  return (
    <PageFrame
      title="Mail"
      addon={status?.name ?? ''}
      theme={inbox.theme}
      live={inbox.live.value}
      error={inbox.error.value}
      search={
        <SearchField
          value={inbox.query.value}
          label="Search mails"
          placeholder="search: sender, recipient, subject"
          onSearch={(query) => {
            if (query !== inbox.query.value) void inbox.search(query);
          }}
        />
      }
      buttons={
        <button
          type="button"
          class="toolbar-button"
          title="Delete all mails"
          aria-label="Delete all mails"
          disabled={!status?.messages}
          onClick={() => {
            inbox.overlay.value = 'delete-all';
          }}
        >
          <Icon name="trash" />
        </button>
      }
      onHelp={() => {
        inbox.overlay.value = 'help';
      }}
      status={
        status && (
          <span class="mail-counts">
            {formatCount(status.messages, 'mail')}, {status.unread} unread, {formatBytes(status.bytes)}
            {status.dropped > 0 && `; ${formatCount(status.dropped, 'older one')} had to go`}
          </span>
        )
      }
      hints={
        <>
          <kbd>/</kbd> search <kbd>j</kbd>
          <kbd>k</kbd> move <kbd>d</kbd> delete <kbd>?</kbd> keys
        </>
      }
    >
      <div class="inbox" data-opened={selected !== ''} data-blank={inbox.mails.value?.length === 0}>
        <MailList inbox={inbox} />
        <MailView inbox={inbox} />
      </div>
      {inbox.overlay.value === 'help' && (
        <Modal title="Keys" onClose={closeOverlay}>
          <KeyList keys={KEYS} />
        </Modal>
      )}
      {inbox.overlay.value === 'delete-all' && (
        <Modal title="Delete all mails" onClose={closeOverlay}>
          <form
            class="time-form"
            onSubmit={(event) => {
              event.preventDefault();
              void inbox.deleteAll();
            }}
          >
            <p>{formatCount(status?.messages ?? 0, 'mail')} will be gone for good.</p>
            <button type="submit">Delete all</button>
          </form>
        </Modal>
      )}
    </PageFrame>
  );
}
