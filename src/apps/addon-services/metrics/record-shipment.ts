import { TailraceError } from '../../../common/errors.ts';
import { DRAIN_FRAMES_MAX, splitCountedFrames } from '../../../logs/syslog/drain-frames/octet-counting.ts';
import { type Change, type IntervalStore, KEPT_MS } from './interval-store.ts';
import type { PrometheusExporter } from './prometheus.ts';
import { platformErrorCode, readDrainLine, readRouterRequest, readValues } from './read-line.ts';

/** Lines of a minute that are recorded together. */
interface LineGroup {
  readonly atMs: number;
  readonly changes: Change[];
}

const MINUTE_MS = 60_000;

/**
 * Records the lines of a drain's shipment: all of them or, when they can't be stored, none.
 *
 * @param body octet-counted lines in Heroku's form (`application/logplex-1`)
 * @param frameId of the shipment, the same when it is sent again
 * @throws TailraceError `bad_request`, `too_large`
 */
export async function recordShipment(
  body: Buffer,
  frameId: string | undefined,
  store: IntervalStore,
  exporter: PrometheusExporter,
  nowMs: number,
): Promise<void> {
  const split = splitCountedFrames(body);
  if ('error' in split)
    throw split.error === 'malformed'
      ? new TailraceError(
          'bad_request',
          `Malformed frame at byte ${split.atByte}: expected "<length> <message>".`,
        )
      : new TailraceError('too_large', `A request may hold at most ${DRAIN_FRAMES_MAX} frames.`);
  const groups = new Map<number, LineGroup>();
  const told: (() => void)[] = [];
  for (const frame of split.frames) {
    const line = readDrainLine(frame, nowMs);
    if (!line) continue;
    // A clock that is wrong puts no line where nobody would find it.
    const atMs = line.timeMs > nowMs || line.timeMs < nowMs - KEPT_MS ? nowMs : line.timeMs;
    const minute = Math.floor(atMs / MINUTE_MS);
    const group = groups.get(minute) ?? { atMs, changes: [] };
    groups.set(minute, group);
    const request = readRouterRequest(line);
    const code = request?.code ?? platformErrorCode(line);
    const values = readValues(line);
    if (request) told.push(() => exporter.recordRequest(request));
    if (code !== undefined) told.push(() => exporter.recordError(code));
    if (values.length > 0) told.push(() => exporter.recordValues(values));
    group.changes.push((interval) => {
      interval.lines++;
      if (request) interval.recordRequest(request);
      if (code !== undefined) interval.recordError(code);
      for (const value of values) interval.recordValue(value, atMs);
    });
  }
  const isNew = await store.record(
    frameId,
    [...groups.values()].map(({ atMs, changes }) => ({
      atMs,
      change: (interval) => {
        for (const change of changes) change(interval);
      },
    })),
  );
  if (!isNew) return;
  exporter.recordLines(split.frames.length);
  for (const tell of told) tell();
}
