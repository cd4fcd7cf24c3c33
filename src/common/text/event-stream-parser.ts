/** An event, or what has no data and is none: comments, and a position alone. */
export interface ServerSentEvent {
  readonly id: string | undefined;
  readonly data: readonly string[];
  /** Behind the colon and a space. */
  readonly comments: readonly string[];
}

/** Reads server-sent events (HTML Living Standard, section 9.2.6) as our servers write them: lines end with a line feed. */
export class EventStreamParser {
  private rest = '';

  /** Takes text as it comes, and gives the events that are whole by it. */
  push(text: string): ServerSentEvent[] {
    const events = (this.rest + text).split('\n\n');
    this.rest = events.pop() ?? '';
    return events.map(readEvent);
  }
}

function readEvent(event: string): ServerSentEvent {
  let id: string | undefined;
  const data: string[] = [];
  const comments: string[] = [];
  for (const line of event.split('\n')) {
    if (line.startsWith('data: ')) data.push(line.slice('data: '.length));
    else if (line.startsWith('id: ')) id = line.slice('id: '.length);
    else if (line.startsWith(': ')) comments.push(line.slice(': '.length));
  }
  return { id, data, comments };
}
