/** Lines of the past, a page at a time. */
import type { Filters } from '../address.ts';
import { type Api, appPath } from './api.ts';
import { type Line, readLine } from './line.ts';

export interface HistoryQuery {
  /** The last lines before this position … */
  readonly before?: number;
  /** … or before this time, milliseconds since 1970 … */
  readonly untilMs?: number;
  /** … or the first ones behind this position. */
  readonly after?: number;
  /** How many, at the most. */
  readonly lines: number;
}

/** Reads lines that match, oldest first. */
export async function readHistory(
  api: Api,
  app: string,
  filters: Filters,
  query: HistoryQuery,
  signal: AbortSignal,
): Promise<Line[]> {
  const values = filterValues(filters);
  values.set('format', 'json');
  values.set('tail', 'false');
  values.set(query.after === undefined ? 'lines' : 'first', String(query.lines));
  if (query.before !== undefined) values.set('before', String(query.before));
  if (query.after !== undefined) values.set('after', String(query.after));
  if (query.untilMs !== undefined) values.set('until', new Date(query.untilMs).toISOString());
  const answer = await api.send(`${appPath(app)}/logs?${values}`, {
    headers: { accept: 'text/plain' },
    signal,
  });
  return answer.body ? readAtMost(answer.body, query.lines) : [];
}

/** The filters as the server knows them; what isn't set is left out. */
export function filterValues(filters: Filters): URLSearchParams {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value) values.set(name, value);
  return values;
}

/** One JSON object a line; the rest isn't read when there are enough. */
async function readAtMost(body: ReadableStream<Uint8Array>, count: number): Promise<Line[]> {
  const lines: Line[] = [];
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const texts = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split('\n');
    rest = done ? '' : (texts.pop() ?? '');
    for (const text of texts) {
      if (text !== '') lines.push(readLine(JSON.parse(text)));
      if (lines.length < count) continue;
      await reader.cancel();
      return lines;
    }
    if (done) return lines;
  }
}
