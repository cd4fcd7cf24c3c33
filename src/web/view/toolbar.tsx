import type { Signal } from '@preact/signals';
import type { ComponentProps } from 'preact';
import { ALL_APPS, APPS_TOGETHER_MAX, type PageState } from '../page-state.ts';
import { describeFilters } from '../saved-searches.ts';
import { processTypes } from '../stream/facets.ts';
import { isFiltered, NO_FILTERS, splitNames } from '../stream/filters.ts';
import { LINE_LEVELS } from '../stream/line.ts';
import { visibleText } from '../text/visible-text.ts';
import { FilterMenu } from './controls/filter-menu.tsx';
import { SavedSearches } from './controls/saved-searches.tsx';
import { FieldFaultText, SearchField } from './controls/search-field.tsx';
import { Icon, Logo } from './icon.tsx';
import { ThemeButton } from './theme-button.tsx';

/** How long somebody has to stop typing before it is searched. */
const SEARCH_DEBOUNCE_MS = 350;

/** A level stands for itself and everything more serious; `debug` would be all lines. */
const LEVEL_OPTIONS = [
  { value: 'error', label: 'errors' },
  { value: 'warn', label: 'warnings, errors' },
  { value: 'info', label: 'all but debug' },
];

/** The bar on top: which app, which lines, and how to look at them. */
export function Toolbar({ page }: { page: PageState }) {
  const { wrap, theme, zone, panel } = page.preferences;
  const { app } = page.wantedLocation.value;
  const fault = page.fault.value;
  const open = (overlay: 'time' | 'help' | 'download'): void => {
    page.overlay.value = overlay;
  };
  return (
    <header class="toolbar">
      <div class="brand">
        <h1 class="visually-hidden">Lines of {app === ALL_APPS ? 'all apps' : visibleText(app) || 'apps'}</h1>
        <Logo />
        <select
          class="app"
          aria-label="App"
          aria-invalid={fault?.field === 'app'}
          aria-describedby={fault?.field === 'app' ? 'app-fault' : undefined}
          value={app}
          onChange={(event) => void page.selectApp(event.currentTarget.value)}
        >
          {((page.apps.value?.length ?? 0) > 1 || app === ALL_APPS) && (
            <option value={ALL_APPS}>
              {(page.apps.value?.length ?? 0) > APPS_TOGETHER_MAX
                ? `The first ${APPS_TOGETHER_MAX} apps`
                : 'All apps'}
            </option>
          )}
          {(page.apps.value ?? []).map(({ id, name }) => (
            <option key={id} value={name}>
              {visibleText(name)}
            </option>
          ))}
          {app && app !== ALL_APPS && !page.apps.value?.some(({ name }) => name === app) && (
            <option value={app}>{visibleText(app)}</option>
          )}
        </select>
        {fault?.field === 'app' && <FieldFaultText id="app-fault" text={fault.text} />}
      </div>
      <SearchBox page={page} />
      <FilterControls page={page} />
      <div class="toolbar-buttons">
        <Searches page={page} />
        <ToolbarButton icon="download" label="Download" keys="D" onClick={() => open('download')} />
        <ToolbarButton icon="clock" label="Jump to a time" keys="t" onClick={() => open('time')} />
        <ToolbarButton
          icon="zone"
          label={zone.value === 'utc' ? 'Times in UTC' : 'Times in local time'}
          keys="u"
          isPressed={zone.value === 'utc'}
          onClick={() => {
            zone.value = zone.value === 'utc' ? 'local' : 'utc';
          }}
        />
        <ToolbarButton icon="wrap" label="Wrap long lines" keys="w" name="wide-only" isOn={wrap} />
        <ThemeButton theme={theme} name="wide-only" />
        <ToolbarButton icon="help" label="Keys" keys="?" name="help-button" onClick={() => open('help')} />
        <ToolbarButton
          icon="panel"
          label="Dynos and drains"
          keys="d"
          isOn={panel}
          needsAttention={page.needsAttention}
        />
      </div>
    </header>
  );
}

interface ToolbarButtonProps {
  icon: ComponentProps<typeof Icon>['name'];
  label: string;
  /** The key that does the same. */
  keys?: string;
  name?: string;
  /** What it turns on and off. */
  isOn?: Signal<boolean>;
  /** Is it on, where there is no such signal? */
  isPressed?: boolean;
  needsAttention?: boolean;
  onClick?: () => void;
}

/** A button with an icon. */
function ToolbarButton(props: ToolbarButtonProps) {
  const { icon, label, keys, name, isOn, isPressed, needsAttention, onClick } = props;
  const toggle = (): void => {
    if (isOn) isOn.value = !isOn.value;
  };
  return (
    <button
      type="button"
      class={name ? `toolbar-button ${name}` : 'toolbar-button'}
      title={keys ? `${label} (${keys})` : label}
      aria-label={label}
      aria-pressed={isOn?.value ?? isPressed}
      onClick={onClick ?? toggle}
    >
      <Icon name={icon} />
      {needsAttention && <i class="badge" />}
    </button>
  );
}

function SearchBox({ page }: { page: PageState }) {
  return (
    <SearchField
      value={page.wantedLocation.value.filters.q}
      label="Search all lines"
      placeholder={'search: words "a phrase" -without status:>=500 a OR b'}
      debounceMs={SEARCH_DEBOUNCE_MS}
      fault={page.fault.value?.field === 'search' ? page.fault.value.text : ''}
      onSearch={(text) => void page.search(text)}
    />
  );
}

function Searches({ page }: { page: PageState }) {
  const { savedSearches } = page;
  const { filters } = page.wantedLocation.value;
  const searches = savedSearches.searches.value;
  return (
    <SavedSearches
      searches={searches.map((one) => ({ name: one.name, description: describeFilters(one.filters) }))}
      current={describeFilters(filters)}
      onSave={(name) => {
        savedSearches.save(name, filters);
        page.showNotice('Saved in this browser');
      }}
      onOpen={(name) => {
        const search = searches.find((one) => one.name === name);
        if (search) void page.changeFilters(search.filters);
      }}
      onRemove={(name) => savedSearches.remove(name)}
    />
  );
}

function FilterControls({ page }: { page: PageState }) {
  const { filters } = page.wantedLocation.value;
  const fault = page.fault.value;
  const { sources, dynos } = page.facets.value;
  const types = processTypes(dynos.value).map((type) => ({ value: type, label: `${type} (all)` }));
  return (
    <div class="filters" data-fault={fault?.field === 'filter'}>
      <FilterMenu
        label="source"
        values={splitNames(filters.source)}
        options={toOptions(sources.value)}
        onChange={(chosen) => void page.changeFilters({ source: chosen.join() })}
      />
      <FilterMenu
        label="dyno"
        values={splitNames(filters.dyno)}
        options={[...types, ...toOptions(dynos.value)]}
        onChange={(chosen) => void page.changeFilters({ dyno: chosen.join() })}
      />
      <FilterSelect
        label="level"
        value={filters.level}
        options={LEVEL_OPTIONS}
        onSelect={(level) =>
          void page.changeFilters({ level: LINE_LEVELS.find((one) => one === level) ?? '' })
        }
      />
      {isFiltered(filters) && (
        <button
          type="button"
          class="clear-filters"
          aria-label="Clear all filters"
          onClick={() => void page.changeFilters(NO_FILTERS)}
        >
          <Icon name="close" />
          <span>clear</span>
        </button>
      )}
      {fault?.field === 'filter' && <FieldFaultText id="filter-fault" text={fault.text} />}
    </div>
  );
}

interface FilterSelectProps {
  label: string;
  value: string;
  options: readonly { value: string; label: string }[];
  onSelect: (value: string) => void;
}

function FilterSelect({ label, value, options, onSelect }: FilterSelectProps) {
  const known = options.some((choice) => choice.value === value);
  return (
    <label class="filter-select" data-set={value !== ''}>
      <span>{label}</span>
      <select name={label} value={value} onChange={(event) => onSelect(event.currentTarget.value)}>
        <option value="">all</option>
        {value !== '' && !known && <option value={value}>{visibleText(value)}</option>}
        {options.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {visibleText(choice.label)}
          </option>
        ))}
      </select>
    </label>
  );
}

function toOptions(values: readonly string[]): { value: string; label: string }[] {
  return values.map((value) => ({ value, label: value }));
}
