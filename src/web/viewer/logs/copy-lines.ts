/** Several lines that are selected with the mouse are copied as a download has them, not as they are laid out. */
import type { ViewerFeed } from '../lines/viewer-feed.ts';
import type { ViewerLine } from '../lines/viewer-line.ts';
import { linesAsText } from './line-text.ts';

/** Part of a line is copied as it is. */
export function copySelectedLines(event: ClipboardEvent, feed: ViewerFeed): void {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || selection.rangeCount === 0 || !event.clipboardData) return;
  const range = selection.getRangeAt(0);
  const [first, last] = [placeOf(range.startContainer), placeOf(range.endContainer)];
  if (first === undefined || last === undefined || first === last) return;
  const { window } = feed;
  const lines = window.lines.slice(window.indexOf(first), window.indexOf(last) + 1) as ViewerLine[];
  event.clipboardData.setData('text/plain', linesAsText(lines));
  event.preventDefault();
}

/** Where the row that a node is in stands. */
function placeOf(node: Node): number | undefined {
  const element = node instanceof Element ? node : node.parentElement;
  const at = element?.closest('.row')?.getAttribute('data-at');
  return at ? Number(at) : undefined;
}
