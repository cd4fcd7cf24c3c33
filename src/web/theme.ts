/** Light or dark: what whoever reads has chosen, for all pages of this server. */
import { effect, type Signal, signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

const STORED_AS = 'tailrace-theme';

/** The chosen colors; the document has them from now on, and the browser keeps them. */
export function loadTheme(): Signal<Theme> {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORED_AS);
  } catch {
    // storage may be forbidden
  }
  const theme = signal<Theme>(stored === 'light' || stored === 'dark' ? stored : 'auto');
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    try {
      localStorage.setItem(STORED_AS, theme.value);
    } catch {
      // then it holds for this visit
    }
  });
  return theme;
}
