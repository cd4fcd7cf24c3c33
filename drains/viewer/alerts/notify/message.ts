/** What a notification says: sentences, and links to the viewer's page. */

import { stripColors } from '../../../../src/common/text/colors.ts';
import { cutText } from '../../../../src/common/text/cut-text.ts';
import { replaceHiddenCharacters } from '../../../../src/common/text/hidden-characters.ts';
import type { AlertCondition, AlertEvent, SampleLine } from '../records/alert-records.ts';

/** Of lines in texts for people. */
const LINE_LENGTH_MAX = 500;
const LINK_SLACK_MS = 1_000;

/** `at least 3 matches in 5 minutes` */
export function conditionText(condition: AlertCondition): string {
  switch (condition.kind) {
    case 'at-least':
      return `at least ${plural(condition.count, 'match', 'matches')} in ${plural(condition.minutes, 'minute')}`;
    case 'none':
      return `no match in ${plural(condition.minutes, 'minute')}`;
    case 'new-pattern':
      return `a pattern that was not seen for ${plural(condition.days, 'day')}`;
  }
}

/** One line: what happened. */
export function titleOf(event: AlertEvent): string {
  const value = event.value ? ` (${event.value.field}: ${event.value.value})` : '';
  return oneLine(`${whatHappened(event)}: ${event.alert.name}${value}`);
}

/** Sentences, without lines of the log. */
export function summaryOf(event: AlertEvent): string {
  const { kind, search, condition, count, fromMs, toMs, unwatchedMs } = event;
  const times = `between ${timeText(fromMs)} and ${timeText(toMs)}`;
  const subject = `“${oneLine(search.name)}”`;
  if (kind === 'test') return `This is a test of the alert on ${subject}: ${conditionText(condition)}.`;
  if (kind === 'resolved')
    return condition.kind === 'none'
      ? `${subject} matches again, after none ${times}.`
      : `${subject} is below ${conditionText(condition)} again, at ${timeText(toMs)}.`;
  if (condition.kind === 'none') {
    const unwatched = unwatchedMs
      ? ` For ${plural(Math.max(1, Math.round(unwatchedMs / 1_000)), 'second')} of it the viewer didn't run.`
      : '';
    return `${subject} had no match ${times}.${unwatched}`;
  }
  const what =
    condition.kind === 'new-pattern' ? plural(count, 'new pattern') : plural(count, 'match', 'matches');
  return `${subject} had ${what} ${times} (${conditionText(condition)}).`;
}

function whatHappened({ kind, condition, count }: AlertEvent): string {
  if (kind === 'test') return 'Test';
  if (kind === 'resolved') return 'Resolved';
  if (condition.kind === 'none') return 'No matches';
  return condition.kind === 'new-pattern' ? plural(count, 'new pattern') : plural(count, 'match', 'matches');
}

/** A line as text, of which nothing is obeyed by a terminal. */
export function lineText({ timestamp, hostname, program, message }: SampleLine): string {
  return cutText(oneLine(`${timestamp} ${hostname} ${program}: ${message}`), LINE_LENGTH_MAX);
}

/**
 * A text of the log or of people for where one line is expected (a subject, a list): white space is one space, colors go, what hides or
 * controls is `\ufffd`.
 */
export function oneLine(text: string): string {
  return replaceHiddenCharacters(stripColors(text).replace(/\s+/g, ' '), () => '\ufffd');
}

/** Where the search is on the viewer's page, in the time that the event is about. */
export function searchUrl(baseUrl: string, { search, fromMs, toMs }: AlertEvent): string {
  const values = new URLSearchParams();
  if (search.group !== undefined) values.set('group', search.group);
  if (search.streams?.length === 1) values.set('stream', search.streams[0]);
  if (search.query !== '') values.set('q', search.query);
  values.set('from', new Date(fromMs - LINK_SLACK_MS).toISOString());
  values.set('to', new Date(toMs + LINK_SLACK_MS).toISOString());
  return `${baseUrl}/?${values}`;
}

/** Where a line is on the viewer's page. */
export function lineUrl(baseUrl: string, { stream, position }: SampleLine): string {
  return `${baseUrl}/?${new URLSearchParams({ stream, line: `${stream}.${position}` })}`;
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}
