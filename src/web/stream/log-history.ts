/** Lines of the past, a page at a time. */
import { appPath, type WebApiClient } from './api-client.ts';
import type { Filters } from './filters.ts';
import { type HistoryQuery, historyParams } from './history-query.ts';
import { type Line, parseLine } from './line.ts';

/** Reads lines that match, oldest first. */
export async function fetchHistory(
  api: WebApiClient,
  app: string,
  filters: Filters,
  query: HistoryQuery,
  signal: AbortSignal,
): Promise<Line[]> {
  const params = historyParams(filters, query);
  const response = await api.send(`${appPath(app)}/logs?${params}`, {
    headers: { accept: 'text/plain' },
    signal,
  });
  return response.body ? readLines(response.body, query.lines) : [];
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
