import { useRef } from 'preact/hooks';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../icon.tsx';
import { Popover } from './popover.tsx';

/** A search that was kept: what it is called, and what it says below. */
export interface NamedSearch {
  readonly name: string;
  readonly description: string;
}

export interface SavedSearchesProps {
  readonly searches: readonly NamedSearch[];
  /** What would be saved now, in words; '' when there is nothing to save. */
  readonly current: string;
  readonly onSave: (name: string) => void;
  readonly onOpen: (name: string) => void;
  readonly onRemove: (name: string) => void;
}

/** Searches that were kept, and the one that can be. Where they are kept is the page's. */
export function SavedSearches({ searches, current, onSave, onOpen, onRemove }: SavedSearchesProps) {
  const box = useRef<HTMLInputElement>(null);
  return (
    <Popover
      buttonClass="toolbar-button"
      label="Saved searches"
      title="Saved searches"
      button={<Icon name="star" />}
    >
      <div class="saved-searches">
        {searches.length === 0 && <p class="hint">No search is saved yet.</p>}
        <ul>
          {searches.map(({ name, description }) => (
            <li key={name}>
              <button type="button" class="open-search" onClick={() => onOpen(name)}>
                <b>{visibleText(name)}</b>
                <code>{visibleText(description)}</code>
              </button>
              <button
                type="button"
                class="toolbar-button"
                aria-label={`Remove ${visibleText(name)}`}
                onClick={() => onRemove(name)}
              >
                <Icon name="trash" />
              </button>
            </li>
          ))}
        </ul>
        {current !== '' && (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              const name = box.current?.value.trim() || current;
              onSave(name);
              if (box.current) box.current.value = '';
            }}
          >
            <label>
              <span>
                Save <code>{visibleText(current)}</code> as
              </span>
              <input ref={box} name="name" autocomplete="off" maxLength={80} placeholder={current} />
            </label>
            <button type="submit" class="popover-action">
              Save
            </button>
          </form>
        )}
      </div>
    </Popover>
  );
}
