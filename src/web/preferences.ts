/** How somebody likes to look at lines; kept by the browser. */
import { effect, type Signal, signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

export interface Preferences {
  readonly wrap: Signal<boolean>;
  readonly theme: Signal<Theme>;
  /** Is the panel with dynos and drains open? */
  readonly panel: Signal<boolean>;
  /** Does the panel lie over the lines, for want of room? */
  isPanelOver(): boolean;
  /** The app that was looked at last. */
  readonly app: Signal<string>;
}

export function readPreferences(): Preferences {
  const wide = matchMedia('(min-width: 60rem)');
  const isWide = wide.matches;
  const wrap = signal(read('wrap') !== 'no');
  const stored = read('theme');
  const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto');
  // On a telephone the panel lies over the lines: it opens when asked for.
  const panel = signal(isWide && read('panel') !== 'no');
  const app = signal(read('app'));
  effect(() => keep('app', app.value));
  effect(() => keep('wrap', wrap.value ? 'yes' : 'no'));
  effect(() => {
    keep('theme', theme.value);
    document.documentElement.dataset.theme = theme.value;
  });
  effect(() => {
    if (isWide) keep('panel', panel.value ? 'yes' : 'no');
    else void panel.value;
  });
  return { wrap, theme, panel, app, isPanelOver: () => !wide.matches };
}

function read(name: string): string {
  try {
    return localStorage.getItem(`tailrace-${name}`) ?? '';
  } catch {
    return ''; // storage may be forbidden
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`tailrace-${name}`, value);
  } catch {
    // then it holds for this visit
  }
}
