/** The keyboard of the viewer's page of lines. What the keys do is said in viewer-dialogs.tsx. */
import { listenToKeys } from '../../addons/shared/keyboard.ts';
import { linesAsText } from '../../text/line-text.ts';
import type { ViewerLine } from '../lines/viewer-line.ts';
import type { ViewerPage } from '../viewer-page.ts';

export function listenToViewerKeys(page: ViewerPage): void {
  const inLogs =
    (action: () => void): (() => void) =>
    () => {
      if (page.address.value.section === 'logs') action();
    };
  const open = (overlay: 'help' | 'time' | 'save' | 'download'): (() => void) =>
    inLogs(() => {
      page.overlay.value = overlay;
    });
  const withLine = (action: (line: ViewerLine) => void): (() => void) =>
    inLogs(() => {
      const line = page.feed.value?.lineAt(page.selectedPosition.value);
      if (line) action(line);
    });
  const expand = inLogs(() => {
    if (page.selectedPosition.value) page.toggleExpanded(page.selectedPosition.value);
  });
  listenToKeys(
    {
      ' ': inLogs(() => {
        const feed = page.feed.value;
        if (feed?.following.value) feed.pause();
        else void page.follow();
      }),
      j: inLogs(() => moveSelection(page, 1)),
      k: inLogs(() => moveSelection(page, -1)),
      ArrowDown: inLogs(() => moveSelection(page, 1)),
      ArrowUp: inLogs(() => moveSelection(page, -1)),
      e: inLogs(() => selectError(page, 1)),
      E: inLogs(() => selectError(page, -1)),
      Enter: expand,
      o: expand,
      x: withLine((line) => void page.showInContext(line)),
      c: withLine((line) => void page.copyToClipboard(page.linkTo(line), 'Link')),
      y: withLine((line) => void page.copyToClipboard(linesAsText([line]), 'Line')),
      g: inLogs(() => page.scrollToStart()),
      G: inLogs(() => void page.follow()),
      t: open('time'),
      s: open('save'),
      D: open('download'),
      w: inLogs(() => {
        page.preferences.wrap.value = !page.preferences.wrap.value;
      }),
      d: inLogs(() => {
        page.preferences.panel.value = !page.preferences.panel.value;
      }),
      u: inLogs(() => {
        const { zone } = page.preferences;
        zone.value = zone.value === 'utc' ? 'local' : 'utc';
      }),
      '?': () => {
        page.overlay.value = 'help';
      },
      Escape: inLogs(() => {
        if (page.expanded.value.size > 0) page.expanded.value = new Set();
        else if (page.address.value.by) void page.groupBy('');
        else if (page.hasHiddenLines) void page.changeSelection({ q: '', from: '', to: '' });
      }),
    },
    () =>
      page.overlay.value !== '' ||
      !page.client.session.value ||
      document.querySelector('dialog[open]') !== null,
  );
}

/** Selects the line a step further; without a selection, the last one. */
function moveSelection(page: ViewerPage, by: number): void {
  const window = page.feed.value?.window;
  if (!window?.last) return;
  const index = page.selectedPosition.value
    ? window.indexOf(page.selectedPosition.value) + by
    : window.lines.length - 1;
  page.selectLine(window.lines[Math.max(0, Math.min(window.lines.length - 1, index))].at);
}

function selectError(page: ViewerPage, by: number): void {
  const window = page.feed.value?.window;
  if (!window?.last) return;
  const start = page.selectedPosition.value
    ? window.indexOf(page.selectedPosition.value) + by
    : window.lines.length - 1;
  // Without a line to start from, the nearest error is above.
  const step = page.selectedPosition.value ? by : -1;
  for (let i = start; i >= 0 && i < window.lines.length; i += step) {
    if (window.lines[i].level !== 'error') continue;
    page.selectLine(window.lines[i].at);
    return;
  }
  page.showNotice('No further error among these lines.');
}
