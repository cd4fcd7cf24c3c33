/** The page's keys. They are listed in help.tsx. */
import { isFiltered, NO_FILTERS } from '../address.ts';
import type { Page } from '../page.ts';

/** Listens until the returned function is called. */
export function listenToKeys(page: Page): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (page.key.value === '' || page.overlay.value !== '') return;
    const target = event.target instanceof HTMLElement ? event.target : undefined;
    if (target?.closest('input, select, textarea')) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    // A focused button is pressed by these two.
    if (target?.closest('button, a') && (event.key === ' ' || event.key === 'Enter')) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action(page);
  };
  document.addEventListener('keydown', listener);
  return () => document.removeEventListener('keydown', listener);
}

const ACTIONS: Record<string, (page: Page) => void> = {
  '/': () => {
    const box = document.querySelector<HTMLInputElement>('#search');
    box?.focus();
    box?.select();
  },
  ' ': (page) => {
    const reading = page.reading.value;
    if (reading?.following.value) reading.hold();
    else void page.follow();
  },
  j: (page) => step(page, 1),
  k: (page) => step(page, -1),
  ArrowDown: (page) => step(page, 1),
  ArrowUp: (page) => step(page, -1),
  e: (page) => stepToError(page, 1),
  E: (page) => stepToError(page, -1),
  Enter: (page) => {
    if (page.selected.value) page.fold(page.selected.value);
  },
  o: (page) => ACTIONS.Enter(page),
  x: (page) => {
    const line = selectedLine(page);
    if (line) void page.showInContext(line);
  },
  c: (page) => {
    const line = selectedLine(page);
    if (line) void page.copy(page.linkTo(line), 'Link');
  },
  g: (page) => page.toStart(),
  G: (page) => void page.follow(),
  t: (page) => {
    page.overlay.value = 'time';
  },
  w: (page) => {
    page.preferences.wrap.value = !page.preferences.wrap.value;
  },
  d: (page) => {
    page.preferences.panel.value = !page.preferences.panel.value;
  },
  '?': (page) => {
    page.overlay.value = 'help';
  },
  Escape: (page) => {
    if (page.expanded.value.size > 0) page.expanded.value = new Set();
    else if (isFiltered(page.place.value.filters)) void page.filter(NO_FILTERS);
  },
};

function selectedLine(page: Page) {
  const lines = page.reading.value?.window.lines ?? [];
  return lines[page.reading.value?.window.indexOf(page.selected.value) ?? -1];
}

/** Points at the line a step further; without any, at the last one. */
function step(page: Page, by: number): void {
  const window = page.reading.value?.window;
  if (!window?.last) return;
  const index = page.selected.value ? window.indexOf(page.selected.value) + by : window.lines.length - 1;
  const line = window.lines[Math.max(0, Math.min(window.lines.length - 1, index))];
  page.select(line.at);
}

function stepToError(page: Page, by: number): void {
  const window = page.reading.value?.window;
  if (!window?.last) return;
  const start = page.selected.value ? window.indexOf(page.selected.value) + by : window.lines.length - 1;
  for (let i = start; i >= 0 && i < window.lines.length; i += by) {
    if (window.lines[i].level !== 'error') continue;
    page.select(window.lines[i].at);
    return;
  }
  // Without a line to start from, the nearest error is above.
  if (by > 0 && !page.selected.value) stepToError(page, -1);
  else page.say('No further error among these lines.');
}
