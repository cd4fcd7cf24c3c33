/** Lines of the past, a page at a time. */
import type { Filters } from '../view-location.ts';
import { appPath, type WebApiClient } from './api-client.ts';
import { type Line, parseLine } from './line.ts';

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
export async function fetchHistory(
  api: WebApiClient,
  app: string,
  filters: Filters,
  query: HistoryQuery,
  signal: AbortSignal,
): Promise<Line[]> {
  const params = filterParams(filters);
  params.set('format', 'json');
  params.set('tail', 'false');
  params.set(query.after === undefined ? 'lines' : 'first', String(query.lines));
  if (query.before !== undefined) params.set('before', String(query.before));
  if (query.after !== undefined) params.set('after', String(query.after));
  if (query.untilMs !== undefined) params.set('until', new Date(query.untilMs).toISOString());
  const response = await api.send(`${appPath(app)}/logs?${params}`, {
    headers: { accept: 'text/plain' },
    signal,
  });
  return response.body ? readLines(response.body, query.lines) : [];
}

/** The filters as the server knows them; what isn't set is left out. */
export function filterParams(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value) params.set(name, value);
  return params;
}

/** One JSON object a line; the rest isn't read when there are enough. */
async function readLines(body: ReadableStream<Uint8Array>, linesMax: number): Promise<Line[]> {
  const lines: Line[] = [];
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const texts = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split('\n');
    rest = done ? '' : (texts.pop() ?? '');
    for (const text of texts) {
      if (text !== '') lines.push(parseLine(JSON.parse(text)));
      if (lines.length < linesMax) continue;
      await reader.cancel();
      return lines;
    }
    if (done) return lines;
  }
}
