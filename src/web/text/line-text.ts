/** A line as text, as `tailrace logs` prints it: what is copied. */
import { partsOf } from '../stream/events/join-events.ts';
import type { Line } from '../stream/line.ts';
import { formatTimeOfDay, type TimeZone } from './format.ts';
import { parseMessage } from './parsed-message.ts';
import { visibleText } from './visible-text.ts';

/** `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`, without colors, hidden characters by their names. */
export function lineText(line: Line): string {
  return `${visibleText(line.timestamp)} ${visibleText(line.source)}[${visibleText(line.dyno)}]: ${parseMessage(line).text}`;
}

/** Longer messages aren't listened to. */
const SPOKEN_CHARACTERS_MAX = 300;
const SPOKEN_LEVELS: Partial<Record<Line['level'], string>> = { error: 'error, ', warn: 'warning, ' };

/** A line as it is read aloud: `error, 14:05:09, web.1: gave up` */
export function spokenLine(line: Line, zone: TimeZone): string {
  const message = parseMessage(line).text.slice(0, SPOKEN_CHARACTERS_MAX);
  return `${SPOKEN_LEVELS[line.level] ?? ''}${formatTimeOfDay(line.ms, zone)}, ${visibleText(line.dyno)}: ${message}`;
}

/** Lines as text, each line of an event for itself. */
export function linesAsText(lines: readonly Line[]): string {
  return lines
    .flatMap(partsOf)
    .map((line) => `${lineText(line)}\n`)
    .join('');
}
