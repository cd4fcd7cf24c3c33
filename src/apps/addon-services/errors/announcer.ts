/** What the app's stream is told: each new error, and each that comes again after it was resolved; not each event. */
import { hasHiddenCharacter } from '../../../common/text/hidden-characters.ts';
import { sanitizeCell } from '../../../logs/tails/output/sanitize.ts';
import type { ServiceSeverity } from '../runtime/run-service.ts';
import type { ErrorLevel } from './event/error-event.ts';
import type { ErrorGroup } from './store/error-group.ts';
import type { AddedEvent } from './store/error-state.ts';

/** In a window; what is more is counted in one line. */
const LINES_MAX = 60;
const WINDOW_MS = 60_000;
const TEXT_MAX = 300;

const SEVERITIES: Readonly<Record<ErrorLevel, ServiceSeverity>> = {
  fatal: 'error',
  error: 'error',
  warning: 'warning',
  info: 'info',
  debug: 'info',
};
const NOUNS: Readonly<Record<ErrorLevel, string>> = {
  fatal: 'fatal error',
  error: 'error',
  warning: 'warning',
  info: 'message',
  debug: 'message',
};

/** At most {@link LINES_MAX} lines a minute; how many more there were is said in one line at the minute's end. */
export class ErrorAnnouncer {
  private readonly write: (severity: ServiceSeverity, text: string) => void;
  private lines = 0;
  private more = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(write: (severity: ServiceSeverity, text: string) => void) {
    this.write = write;
  }

  /** Says what is worth it: new errors and regressions. Events that are known already cost nothing. */
  announce(added: AddedEvent): void {
    if (added.kind !== 'new' && added.kind !== 'regression') return;
    this.timer ??= setTimeout(() => this.endWindow(), WINDOW_MS).unref();
    if (this.lines++ >= LINES_MAX) this.more++;
    else this.write(SEVERITIES[added.group.level], announcementOf(added));
  }

  /** Says what hasn't been said. */
  close(): void {
    clearTimeout(this.timer);
    this.endWindow();
  }

  private endWindow(): void {
    const { more } = this;
    this.timer = undefined;
    this.lines = 0;
    this.more = 0;
    if (more > 0) this.write('error', `${more} more new errors: see the page of this add-on (addons:open)`);
  }
}

/** `New error: ValueError: bad in views.py:42 (release 1.2, production)` */
export function announcementOf({ kind, group }: AddedEvent): string {
  const noun = NOUNS[group.level];
  const beginning = kind === 'new' ? `New ${noun}` : `Resolved ${noun} is back`;
  const details = [
    ...(group.lastRelease === undefined ? [] : [`release ${group.lastRelease}`]),
    ...group.environments.slice(-1),
  ].join(', ');
  const text = `${beginning}: ${nameOf(group)}${details === '' ? '' : ` (${details})`}`;
  return visible(text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text);
}

function nameOf({ type, value, location }: ErrorGroup): string {
  const name = [type, value].filter((part) => part !== '').join(': ');
  // Where the text is cut, the place is more worth than the end of it.
  const room = TEXT_MAX - 100;
  const short = name.length > room ? `${name.slice(0, room - 1)}…` : name;
  return location === '' ? short : `${short} in ${location.slice(-60)}`;
}

/** On one line, with nothing hidden; a color would be the event's, not ours. */
function visible(text: string): string {
  return hasHiddenCharacter(text) ? sanitizeCell(text.replaceAll('\x1b', '\\x1b')) : text;
}
