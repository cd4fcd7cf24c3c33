/** How somebody likes to look at lines; kept by the browser. */
import { effect, type Signal, signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

export interface Preferences {
  readonly wrap: Signal<boolean>;
  readonly theme: Signal<Theme>;
  /** Is the panel with dynos and drains open? */
  readonly panel: Signal<boolean>;
}

export function readPreferences(): Preferences {
  const isWide = matchMedia('(min-width: 60rem)').matches;
  const wrap = signal(read('wrap') !== 'no');
  const stored = read('theme');
  const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto');
  // On a telephone the panel lies over the lines: it opens when asked for.
  const panel = signal(isWide && read('panel') !== 'no');
  effect(() => keep('wrap', wrap.value ? 'yes' : 'no'));
  effect(() => {
    keep('theme', theme.value);
    document.documentElement.dataset.theme = theme.value;
  });
  effect(() => {
    if (isWide) keep('panel', panel.value ? 'yes' : 'no');
    else void panel.value;
  });
  return { wrap, theme, panel };
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
