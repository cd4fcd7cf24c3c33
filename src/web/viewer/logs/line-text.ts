/** Lines as text, in the form in which they are copied everywhere; each line of an event for itself. */
import { lineText } from '../../text/line-text.ts';
import { partsOf, type ViewerLine } from '../lines/viewer-line.ts';

export function linesAsText(lines: readonly ViewerLine[]): string {
  return lines
    .flatMap(partsOf)
    .map((line) => `${lineText(line)}\n`)
    .join('');
}
