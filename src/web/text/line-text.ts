/** A line as text, as `tailrace logs` prints it: what is copied. */
import { partsOf } from '../stream/events/join-events.ts';
import type { Line } from '../stream/line.ts';
import { parseMessage } from './parsed-message.ts';
import { visibleText } from './visible-text.ts';

/** `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`, without colors, hidden characters by their names. */
export function lineText(line: Line): string {
  return `${visibleText(line.timestamp)} ${visibleText(line.source)}[${visibleText(line.dyno)}]: ${parseMessage(line).text}`;
}

/** Lines as text, each line of an event for itself. */
export function linesAsText(lines: readonly Line[]): string {
  return lines
    .flatMap(partsOf)
    .map((line) => `${lineText(line)}\n`)
    .join('');
}
