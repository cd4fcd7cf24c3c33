/** How an error is called, in the list and in the stream. */
import { basename } from 'node:path/posix';
import type { ErrorEvent, StackFrame } from './error-event.ts';

/** Of a list's row; whole texts are in the event. */
const TITLE_MAX = 300;
/** The end of it tells more. */
const LOCATION_MAX = 100;

export interface EventTitle {
  /** `ValueError`; empty for a message. */
  readonly type: string;
  /** Its text, the first line of it. */
  readonly value: string;
  /** What was going on: a request's route, or the function. */
  readonly culprit: string;
  /** `views.py:42`; empty where nobody knows. */
  readonly location: string;
}

export function titleOf(event: ErrorEvent): EventTitle {
  const exception = event.exceptions.at(-1);
  const frame = innermost(exception?.frames ?? event.frames);
  return {
    type: shorten(exception?.type ?? ''),
    value: shorten(firstLine(exception ? exception.value : (event.message ?? '(no message)'))),
    culprit: shorten(event.transaction ?? (frame ? functionOf(frame) : (event.logger ?? ''))),
    location: frame ? locationOf(frame).slice(-LOCATION_MAX) : '',
  };
}

/** The app's own call that is nearest to the error. */
function innermost(frames: readonly StackFrame[]): StackFrame | undefined {
  return frames.findLast(({ isInApp }) => isInApp) ?? frames.at(-1);
}

function functionOf({ module, file = '', function: name }: StackFrame): string {
  const where = module ?? file;
  return name === undefined ? where : `${name}${where === '' ? '' : ` (${where})`}`;
}

function locationOf({ file, module = '', line }: StackFrame): string {
  const name = file === undefined ? module : basename(file.replaceAll('\\', '/'));
  return line === undefined || name === '' ? name : `${name}:${line}`;
}

function firstLine(text: string): string {
  return text.trimStart().split('\n', 1)[0].trimEnd();
}

function shorten(text: string): string {
  return text.length > TITLE_MAX ? `${text.slice(0, TITLE_MAX - 1)}…` : text;
}
