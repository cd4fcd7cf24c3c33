import type { ComponentProps } from 'preact';
import { visibleText } from '../../text/visible-text.ts';
import { SearchField } from '../../view/controls/search-field.tsx';
import { Icon } from '../../view/icon.tsx';
import type { ViewerPage } from '../viewer-page.ts';
import { TimeRangeSelect } from './time-range.tsx';

/** How long somebody has to stop typing before it is searched. */
const SEARCH_DEBOUNCE_MS = 350;

/** Which lines, and what to do with them. */
export function LogsToolbar({ page }: { page: ViewerPage }) {
  const { wrap, zone, panel } = page.preferences;
  return (
    <search class="logs-toolbar">
      <ScopeSelect page={page} />
      <div class="search-box">
        <SearchField
          value={page.selection.q}
          label="Search"
          placeholder={'search: words "a phrase" -without status:>=500 a OR b'}
          debounceMs={SEARCH_DEBOUNCE_MS}
          fault={page.fault.value}
          onSearch={(text) => void page.search(text)}
        />
        <ToolButton
          icon="help"
          label="What a search may say"
          onClick={() => {
            page.overlay.value = 'grammar';
          }}
        />
      </div>
      <TimeRangeSelect page={page} />
      <div class="toolbar-buttons">
        <ToolButton
          icon="star"
          label="Save this search"
          keys="s"
          onClick={() => {
            page.overlay.value = 'save';
          }}
        />
        <ToolButton
          icon="download"
          label="Download or copy"
          keys="D"
          onClick={() => {
            page.overlay.value = 'download';
          }}
        />
        <ToolButton
          icon="zone"
          label="Times in UTC"
          keys="u"
          isOn={zone.value === 'utc'}
          onClick={() => {
            zone.value = zone.value === 'utc' ? 'local' : 'utc';
          }}
        />
        <ToolButton
          icon="wrap"
          label="Wrap long lines"
          keys="w"
          isOn={wrap.value}
          onClick={() => {
            wrap.value = !wrap.value;
          }}
        />
        <ToolButton
          icon="panel"
          label="Searches and fields"
          keys="d"
          isOn={panel.value}
          onClick={() => {
            panel.value = !panel.value;
          }}
        />
      </div>
    </search>
  );
}

interface ToolButtonProps {
  readonly icon: ComponentProps<typeof Icon>['name'];
  readonly label: string;
  /** The key that does the same. */
  readonly keys?: string;
  readonly isOn?: boolean;
  readonly onClick: () => void;
}

function ToolButton({ icon, label, keys, isOn, onClick }: ToolButtonProps) {
  return (
    <button
      type="button"
      class="toolbar-button"
      title={keys ? `${label} (${keys})` : label}
      aria-label={label}
      aria-pressed={isOn}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** All lines, those of a group, or those of one stream. */
function ScopeSelect({ page }: { page: ViewerPage }) {
  const groups = page.groups.value ?? [];
  const { group, stream } = page.selection;
  const value = stream ? `stream ${stream}` : group ? `group ${group}` : '';
  return (
    <select
      class="app scope"
      aria-label="Group or stream"
      value={value}
      onChange={(event) => {
        const [kind, id = ''] = event.currentTarget.value.split(' ');
        void page.changeSelection({ group: kind === 'group' ? id : '', stream: kind === 'stream' ? id : '' });
      }}
    >
      <option value="">All lines</option>
      {groups.map(({ id, name, streams }) => (
        <optgroup key={id} label={visibleText(name)}>
          <option value={`group ${id}`}>{visibleText(name)}</option>
          {streams.map((one) => (
            <option key={one.id} value={`stream ${one.id}`}>
              {`\u2003${visibleText(one.name)}`}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}
