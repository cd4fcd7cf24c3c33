import { useEffect } from 'preact/hooks';
import { formatCount } from '../../../common/text/format-numbers.ts';
import { SearchField } from '../../view/controls/search-field.tsx';
import { Modal } from '../../view/modal.tsx';
import { KeyList } from '../../view/shortcuts-help.tsx';
import { PageFrame } from '../shared/page-frame.tsx';
import type { ErrorsState } from './errors-state.ts';
import { GroupList } from './group-list.tsx';
import { GroupView } from './group-view.tsx';

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search types, texts, places, releases, environments'],
  ['j  k', 'next error, error before'],
  ['n  p', 'newer event of the error, older one'],
  ['f', 'frames of the app alone, or all'],
  ['r', 'resolve it, or take that back'],
  ['i', 'ignore it, or take that back'],
  ['d', 'delete it'],
  ['s', 'order: by the last event, or by how many'],
  ['esc', 'back to the list, or end the search'],
  ['?', 'this'],
];

/** The whole page. */
export function ErrorsPage({ errors }: { errors: ErrorsState }) {
  const { value: summary } = errors.summary;
  const { value: selected } = errors.selectedId;
  useEffect(() => {
    document.querySelector('.groups [data-selected="true"]')?.scrollIntoView({ block: 'nearest' });
    document.querySelector('.group')?.scrollTo(0, 0);
  }, [selected]);
  const closeOverlay = (): void => {
    errors.overlay.value = '';
  };
  return (
    <PageFrame
      title="Errors"
      addon={summary?.name ?? ''}
      theme={errors.theme}
      live={errors.live.value}
      error={errors.error.value}
      search={
        <SearchField
          value={errors.filter.value.query}
          label="Search errors"
          placeholder="search: type, text, place, release"
          onSearch={(query) => {
            if (query !== errors.filter.value.query) errors.changeFilter({ query });
          }}
        />
      }
      onHelp={() => {
        errors.overlay.value = 'help';
      }}
      status={
        summary && (
          <span class="error-counts">
            {formatCount(summary.events, 'event')}, {summary.kept_events} kept
            {summary.evicted_groups > 0 &&
              `; ${formatCount(summary.evicted_groups, 'older error')} had to go`}
            {summary.limited_events > 0 &&
              `; ${formatCount(summary.limited_events, 'event')} over the rate limit`}
          </span>
        )
      }
      hints={
        <>
          <kbd>/</kbd> search <kbd>j</kbd>
          <kbd>k</kbd> move <kbd>r</kbd> resolve <kbd>?</kbd> keys
        </>
      }
    >
      <div class="errors" data-opened={selected !== ''}>
        <GroupList errors={errors} />
        {selected !== '' && <GroupView errors={errors} />}
      </div>
      {errors.overlay.value === 'help' && (
        <Modal title="Keys" onClose={closeOverlay}>
          <KeyList keys={KEYS} />
        </Modal>
      )}
      {errors.overlay.value === 'delete' && (
        <Modal title="Delete this error" onClose={closeOverlay}>
          <form
            class="time-form"
            onSubmit={(event) => {
              event.preventDefault();
              void errors.delete();
            }}
          >
            <p>Its events will be gone for good. If it happens again, it is a new error.</p>
            <button type="submit">Delete</button>
          </form>
        </Modal>
      )}
    </PageFrame>
  );
}
