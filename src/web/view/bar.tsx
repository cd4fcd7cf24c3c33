import type { Signal } from '@preact/signals';
import type { ComponentProps } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { isFiltered, NO_FILTERS } from '../address.ts';
import type { Page } from '../page.ts';
import type { Theme } from '../preferences.ts';
import { LEVELS } from '../stream/line.ts';
import { processTypes } from '../stream/names.ts';
import { Icon, Waves } from './icon.tsx';

/** How long somebody has to stop typing before it is searched. */
const TYPING_MS = 350;
const THEMES: Record<Theme, { next: Theme; icon: 'auto' | 'moon' | 'sun'; label: string }> = {
  auto: { next: 'dark', icon: 'auto', label: 'Colours: as the system has them' },
  dark: { next: 'light', icon: 'moon', label: 'Colours: dark' },
  light: { next: 'auto', icon: 'sun', label: 'Colours: light' },
};

/** A level stands for itself and everything more serious; `debug` would be all lines. */
const AT_LEAST = [
  { value: 'error', label: 'errors' },
  { value: 'warn', label: 'warnings, errors' },
  { value: 'info', label: 'all but debug' },
];

/** The bar on top: which app, which lines, and how to look at them. */
export function Bar({ page }: { page: Page }) {
  const { wrap, theme, panel } = page.preferences;
  const { app } = page.place.value;
  const look = THEMES[theme.value];
  const open = (overlay: 'time' | 'help'): void => {
    page.overlay.value = overlay;
  };
  return (
    <header class="bar">
      <div class="brand">
        <Waves />
        <select
          class="app"
          aria-label="App"
          value={app}
          onChange={(event) => void page.choose(event.currentTarget.value)}
        >
          {(page.apps.value ?? []).map(({ id, name }) => (
            <option key={id} value={name}>
              {name}
            </option>
          ))}
          {app && !page.apps.value?.some(({ name }) => name === app) && <option value={app}>{app}</option>}
        </select>
      </div>
      <Search page={page} />
      <Filters page={page} />
      <div class="tools">
        <Tool icon="clock" label="Jump to a time" keys="t" onClick={() => open('time')} />
        <Tool icon="wrap" label="Wrap long lines" keys="w" isOn={wrap} />
        <Tool
          icon={look.icon}
          label={look.label}
          onClick={() => {
            theme.value = look.next;
          }}
        />
        <Tool icon="help" label="Keys" keys="?" name="help-tool" onClick={() => open('help')} />
        <Tool icon="panel" label="Dynos and drains" keys="d" isOn={panel} isAlarming={page.isAlarming} />
      </div>
    </header>
  );
}

interface ToolProps {
  icon: ComponentProps<typeof Icon>['name'];
  label: string;
  /** The key that does the same. */
  keys?: string;
  name?: string;
  /** What it turns on and off. */
  isOn?: Signal<boolean>;
  isAlarming?: boolean;
  onClick?: () => void;
}

/** A button with an icon. */
function Tool({ icon, label, keys, name, isOn, isAlarming, onClick }: ToolProps) {
  const turn = (): void => {
    if (isOn) isOn.value = !isOn.value;
  };
  return (
    <button
      type="button"
      class={name ? `tool ${name}` : 'tool'}
      title={keys ? `${label} (${keys})` : label}
      aria-label={label}
      aria-pressed={isOn?.value}
      onClick={onClick ?? turn}
    >
      <Icon name={icon} />
      {isAlarming && <i class="alarm" />}
    </button>
  );
}

function Search({ page }: { page: Page }) {
  const box = useRef<HTMLInputElement>(null);
  const timer = useRef<number>(0);
  const { q } = page.place.value.filters;
  useEffect(() => {
    // What somebody is typing isn't taken from under their hands.
    if (box.current && box.current !== document.activeElement) box.current.value = q;
  }, [q]);
  const search = (): void => {
    clearTimeout(timer.current);
    const wanted = box.current?.value.trim() ?? '';
    if (wanted !== page.place.value.filters.q) void page.filter({ q: wanted }, 'replace');
  };
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        search();
        box.current?.blur();
      }}
    >
      <Icon name="search" />
      <input
        ref={box}
        id="search"
        type="search"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        enterkeyhint="search"
        aria-label="Search all lines"
        placeholder={'search: words "a phrase" -without /pattern/'}
        defaultValue={q}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(search, TYPING_MS);
        }}
      />
      <kbd>/</kbd>
    </form>
  );
}

function Filters({ page }: { page: Page }) {
  const { filters } = page.place.value;
  const { sources, dynos } = page.names.value;
  const types = processTypes(dynos.value).map((type) => ({ value: type, label: `${type} (all)` }));
  return (
    <div class="filters">
      <Choice
        label="source"
        value={filters.source}
        choices={plain(sources.value)}
        onChoose={(source) => void page.filter({ source })}
      />
      <Choice
        label="dyno"
        value={filters.dyno}
        choices={[...types, ...plain(dynos.value)]}
        onChoose={(dyno) => void page.filter({ dyno })}
      />
      <Choice
        label="level"
        value={filters.level}
        choices={AT_LEAST}
        onChoose={(level) => void page.filter({ level: LEVELS.find((one) => one === level) ?? '' })}
      />
      {isFiltered(filters) && (
        <button
          type="button"
          class="clear"
          aria-label="Clear all filters"
          onClick={() => void page.filter(NO_FILTERS)}
        >
          <Icon name="close" />
          <span>clear</span>
        </button>
      )}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  choices: readonly { value: string; label: string }[];
  onChoose: (value: string) => void;
}

function Choice({ label, value, choices, onChoose }: ChoiceProps) {
  const known = choices.some((choice) => choice.value === value);
  return (
    <label class="choice" data-set={value !== ''}>
      <span>{label}</span>
      <select name={label} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        <option value="">all</option>
        {value !== '' && !known && <option value={value}>{value}</option>}
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </label>
  );
}

function plain(values: readonly string[]): { value: string; label: string }[] {
  return values.map((value) => ({ value, label: value }));
}
