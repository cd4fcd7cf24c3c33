/** An app's stream, as the server's API has it. It stays that app's, whatever is called so later. */
import { appPath, type WebApiClient } from './api-client.ts';
import { type Filters, filterParams } from './filters.ts';
import type { HistoryQuery } from './history-query.ts';
import type { Line } from './line.ts';
import type { CountPart, CountRequest, LineSource, LineTail, TailListener } from './line-source.ts';
import { LiveTail } from './live-tail.ts';
import { fetchHistory } from './log-history.ts';

/** What the server says of counts. */
interface CountsJson {
  readonly since: string;
  readonly step_ms: number;
  readonly errors: readonly number[];
  readonly warnings: readonly number[];
  readonly others: readonly number[];
  readonly counted_since: string;
  readonly before: string | null;
  readonly position: string;
  readonly time: string;
}

export class AppLineSource implements LineSource {
  private readonly api: WebApiClient;
  private readonly appId: () => Promise<string>;

  /** @param appId the app's id, which may have to be asked for */
  constructor(api: WebApiClient, appId: () => Promise<string>) {
    this.api = api;
    this.appId = appId;
  }

  async fetchHistory(filters: Filters, query: HistoryQuery, signal: AbortSignal): Promise<Line[]> {
    return fetchHistory(this.api, await this.appId(), filters, query, signal);
  }

  openTail(filters: Filters, listener: TailListener): LineTail {
    const createSession = async (signal: AbortSignal): Promise<string> =>
      this.api.createLogSession(await this.appId(), signal);
    return new LiveTail({ createSession, filters, ...listener });
  }

  async fetchCounts(filters: Filters, request: CountRequest, signal: AbortSignal): Promise<CountPart> {
    const params = countParams(filters, request);
    const path = appPath(await this.appId());
    const response = await this.api.send(`${path}/log-counts?${params}`, { signal });
    const counts: CountsJson = await response.json();
    const { errors, warnings, others } = counts;
    return {
      sinceMs: Date.parse(counts.since),
      stepMs: counts.step_ms,
      errors,
      warnings,
      others,
      countedSinceMs: Date.parse(counts.counted_since),
      before: counts.before ?? undefined,
      position: Number(counts.position),
      nowMs: Date.parse(counts.time),
    };
  }
}

/** The parameters of `GET /apps/:app/log-counts`. */
function countParams(filters: Filters, request: CountRequest): URLSearchParams {
  const params = filterParams(filters);
  const { sinceMs, untilMs, rangeMs, around, stepMs, before } = request;
  params.set('step', `${stepMs}ms`);
  if (sinceMs !== undefined) params.set('since', new Date(sinceMs).toISOString());
  if (untilMs !== undefined) params.set('until', new Date(untilMs).toISOString());
  if (rangeMs !== undefined) params.set('range', `${rangeMs}ms`);
  if (around !== undefined) params.set('around', String(around));
  if (before !== undefined) params.set('before', before);
  return params;
}
