/** Lines as a file: read from the server as a stream, packed on the way where that is wanted. */
import { appPath, type WebApiClient } from './api-client.ts';
import { type Filters, filterParams } from './filters.ts';

export interface DownloadOptions {
  readonly format: 'text' | 'ndjson';
  readonly gzip: boolean;
  /** Lines that were stored in this time, milliseconds since 1970; all when it is left out. */
  readonly range?: { readonly sinceMs: number; readonly untilMs: number };
}

/** More than a stream holds. */
const LINES_MAX = 100_000_000;

/**
 * Reads the lines of an app that match into a file.
 * @param onProgress gets how many bytes were read so far
 * @throws ApiError when the server refuses
 */
export async function downloadLines(
  api: WebApiClient,
  app: string,
  filters: Filters,
  { format, gzip, range }: DownloadOptions,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const params = filterParams(filters);
  params.set('format', format === 'text' ? 'text' : 'json');
  params.set('first', String(LINES_MAX));
  if (range) {
    params.set('since', new Date(range.sinceMs).toISOString());
    params.set('until', new Date(range.untilMs - 1).toISOString());
  }
  const response = await api.send(`${appPath(app)}/logs?${params}`, {
    headers: { accept: 'text/plain' },
    signal,
  });
  if (!response.body) return new Blob([]);
  let bytes = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (chunk, controller) => {
        bytes += chunk.length;
        onProgress(bytes);
        controller.enqueue(chunk);
      },
    }),
  );
  const packed = gzip ? counted.pipeThrough(new CompressionStream('gzip')) : counted;
  return new Response(packed).blob();
}

/** `counter-2026-11-21T1405.ndjson.gz` */
export function downloadName(app: string, { format, gzip }: DownloadOptions, nowMs: number): string {
  const time = new Date(nowMs).toISOString().slice(0, 16).replaceAll(':', '');
  const name = app.replace(/[^\w.-]+/g, '_') || 'lines';
  return `${name}-${time}.${format === 'text' ? 'log' : 'ndjson'}${gzip ? '.gz' : ''}`;
}
