/** The page's keyboard shortcuts. They are listed in shortcuts-help.tsx. */

import type { PageState } from '../page-state.ts';
import { isFiltered, NO_FILTERS } from '../stream/filters.ts';
import { linesAsText } from '../text/line-text.ts';

/** Listens until the returned function is called. */
export function listenToShortcuts(page: PageState): () => void {
  const listener = (event: KeyboardEvent): void => {
    // What a control has made use of is no shortcut.
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (!page.isSignedIn.value || page.overlay.value !== '' || document.querySelector(':popover-open'))
      return;
    const target = event.target instanceof HTMLElement ? event.target : undefined;
    if (target?.closest('input, select, textarea')) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    // A focused button is pressed by these two.
    if (target?.closest('button, a') && (event.key === ' ' || event.key === 'Enter')) return;
    const action = SHORTCUT_ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action(page);
  };
  document.addEventListener('keydown', listener);
  return () => document.removeEventListener('keydown', listener);
}

const SHORTCUT_ACTIONS: Record<string, (page: PageState) => void> = {
  '/': () => {
    const box = document.querySelector<HTMLInputElement>('#search');
    box?.focus();
    box?.select();
  },
  ' ': (page) => {
    const logView = page.logView.value;
    if (logView?.following.value) logView.pause();
    else void page.follow();
  },
  j: (page) => moveSelection(page, 1),
  k: (page) => moveSelection(page, -1),
  ArrowDown: (page) => moveSelection(page, 1),
  ArrowUp: (page) => moveSelection(page, -1),
  e: (page) => selectNextError(page, 1),
  E: (page) => selectNextError(page, -1),
  Enter: (page) => {
    if (page.selectedRow) page.toggleExpanded(page.selectedRow);
  },
  o: (page) => SHORTCUT_ACTIONS.Enter(page),
  x: (page) => {
    const line = page.selectedLine;
    if (line) void page.showInContext(line);
  },
  c: (page) => {
    const line = page.selectedLine;
    if (line) void page.copyToClipboard(page.linkTo(line), 'Link');
  },
  y: (page) => {
    const line = page.selectedLine;
    if (line) void page.copyToClipboard(linesAsText([line]), 'Line');
  },
  g: (page) => page.scrollToStart(),
  G: (page) => void page.follow(),
  t: (page) => {
    page.overlay.value = 'time';
  },
  w: (page) => {
    page.preferences.wrap.value = !page.preferences.wrap.value;
  },
  D: (page) => {
    page.overlay.value = 'download';
  },
  u: ({ preferences: { zone } }) => {
    zone.value = zone.value === 'utc' ? 'local' : 'utc';
  },
  d: (page) => {
    page.preferences.panel.value = !page.preferences.panel.value;
  },
  '?': (page) => {
    page.overlay.value = 'help';
  },
  Escape: (page) => {
    if (page.expanded.value.size > 0) page.expanded.value = new Set();
    else if (isFiltered(page.viewLocation.value.filters)) void page.changeFilters(NO_FILTERS);
  },
};

/** Selects the line a step further; without a selection, the last one. */
function moveSelection(page: PageState, by: number): void {
  const window = page.logView.value?.window;
  if (!window?.last) return;
  const index = page.selectedRow ? window.indexOf(page.selectedRow) + by : window.lines.length - 1;
  const line = window.lines[Math.max(0, Math.min(window.lines.length - 1, index))];
  page.selectLine(line.at);
}

function selectNextError(page: PageState, by: number): void {
  const window = page.logView.value?.window;
  if (!window?.last) return;
  const start = page.selectedRow ? window.indexOf(page.selectedRow) + by : window.lines.length - 1;
  for (let i = start; i >= 0 && i < window.lines.length; i += by) {
    if (window.lines[i].level !== 'error') continue;
    page.selectLine(window.lines[i].at);
    return;
  }
  // Without a line to start from, the nearest error is above.
  if (by > 0 && !page.selectedPosition.value) selectNextError(page, -1);
  else page.showNotice('No further error among these lines.');
}
