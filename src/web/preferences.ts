/** Preferences of whoever reads; the browser stores them. */
import { effect, type Signal, signal } from '@preact/signals';
import type { TimeZone } from './text/format.ts';
import { loadTheme, type Theme } from './theme.ts';

export interface Preferences {
  readonly wrap: Signal<boolean>;
  readonly theme: Signal<Theme>;
  /** In which times are shown. */
  readonly zone: Signal<TimeZone>;
  /** Is the panel with dynos and drains open? */
  readonly panel: Signal<boolean>;
  /** Does the panel cover the lines, for want of space? */
  isPanelOverlay(): boolean;
  /** Names of fields that are shown beside the text. */
  readonly columns: Signal<readonly string[]>;
  /** The app that was shown last. */
  readonly app: Signal<string>;
}

/** More would leave no room for the text. */
export const COLUMNS_MAX = 6;

export function loadPreferences(): Preferences {
  const wide = matchMedia('(min-width: 60rem)');
  const isWide = wide.matches;
  const wrap = signal(load('wrap') !== 'no');
  const theme = loadTheme();
  const zone = signal<TimeZone>(load('zone') === 'utc' ? 'utc' : 'local');
  // On a phone the panel covers the lines: it opens on request.
  const panel = signal(isWide && load('panel') !== 'no');
  const app = signal(load('app'));
  const columns = signal<readonly string[]>(
    load('columns').split('\n').filter(Boolean).slice(0, COLUMNS_MAX),
  );
  effect(() => store('app', app.value));
  effect(() => store('columns', columns.value.join('\n')));
  effect(() => store('zone', zone.value));
  effect(() => store('wrap', wrap.value ? 'yes' : 'no'));
  effect(() => {
    if (isWide) store('panel', panel.value ? 'yes' : 'no');
    else void panel.value;
  });
  return { wrap, theme, zone, panel, columns, app, isPanelOverlay: () => !wide.matches };
}

function load(name: string): string {
  try {
    return localStorage.getItem(`tailrace-${name}`) ?? '';
  } catch {
    return ''; // storage may be forbidden
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(`tailrace-${name}`, value);
  } catch {
    // then it holds for this visit
  }
}
