/** Copying out of the list: of what is selected over several columns or rows, each row is one line of text. */
import type { Line } from '../../stream/line.ts';
import { lineText } from '../../text/line-text.ts';

/** Puts the selected rows into the clipboard; what is selected within one text is left to the browser. */
export function copyRows(event: ClipboardEvent, list: Element, lines: readonly Line[]): void {
  const selection = document.getSelection();
  if (!selection || selection.rangeCount === 0 || !event.clipboardData) return;
  const range = selection.getRangeAt(0);
  const { commonAncestorContainer: common } = range;
  const element = common instanceof Element ? common : common.parentElement;
  if (element?.closest('.text, .details')) return;
  const positions = new Set(
    [...list.querySelectorAll('.row')]
      .filter((row) => isSelected(row, range))
      .map((row) => Number(row.getAttribute('data-at'))),
  );
  const chosen = lines.filter(({ at }) => positions.has(at));
  if (chosen.length === 0) return;
  event.clipboardData.setData('text/plain', chosen.map(lineText).join('\n'));
  event.preventDefault();
}

/** Is some of its text in the range? A range that ends where a row begins has nothing of it. */
function isSelected(row: Element, range: Range): boolean {
  if (!range.intersectsNode(row)) return false;
  const part = document.createRange();
  part.selectNodeContents(row);
  if (part.compareBoundaryPoints(Range.START_TO_START, range) < 0)
    part.setStart(range.startContainer, range.startOffset);
  if (part.compareBoundaryPoints(Range.END_TO_END, range) > 0)
    part.setEnd(range.endContainer, range.endOffset);
  return part.toString().trim() !== '';
}
