/**
 * What has to be true of a drain after everything that happened to it: a pure function of what the producers know and
 * what the drain recorded.
 */

/** A line is `<producer> <number>`: each producer counts its own from 1. */
export interface ProducerRecord {
  readonly producer: string;
  /** Numbers that were acknowledged, in the order of their acknowledgement. */
  readonly acknowledged: readonly number[];
  /** Did its requests have a `Logplex-Frame-Id`, so that none is stored twice? */
  readonly sendsFrameIds: boolean;
}

/** One request that the drain received, accepted or not. */
export interface RecordedRequest {
  readonly frameId: string;
  readonly accepted: boolean;
  /** Messages of the lines. */
  readonly messages: readonly string[];
  /** The L10 in front of them, for this drain alone. */
  readonly notice?: string;
}

export interface CheckResult {
  readonly acknowledged: number;
  readonly delivered: number;
  /** Deliveries of a line beyond the first. */
  readonly duplicates: number;
  readonly missing: number;
  /** The least number of lines that the L10s for this drain account for, each loss once. */
  readonly lossesReported: number;
  readonly requests: number;
  /** Broken promises, each in a sentence; none when every promise held. */
  readonly violations: readonly string[];
}

const LINE = /^(\S+) (\d+)\b/;
const LOSS = /^Error L10 .* dropped (\d+) messages since (\S+?)\.(?: |$)/;
/** At most so many broken promises are listed. */
const VIOLATIONS_MAX = 20;

/** What else is known at the end. */
export interface FinalState {
  /** The messages of the stream itself, when they are all still there. */
  readonly stored?: readonly string[];
  /** How many lines the drain lost, by its cursor: lines that were never acknowledged count as well. */
  readonly lost?: number;
}

export function checkDelivery(
  producers: readonly ProducerRecord[],
  requests: readonly RecordedRequest[],
  { stored, lost }: FinalState = {},
): CheckResult {
  const violations: string[] = [];
  const accepted = requests.filter((request) => request.accepted);
  const seen = new Map<string, number>();
  const newest = new Map<string, number>();
  const { least, most } = reportedLosses(accepted);
  for (const { messages } of accepted)
    for (const message of messages) {
      const [, producer, text] = LINE.exec(message) ?? [];
      if (producer === undefined) continue;
      const key = `${producer} ${text}`;
      const times = seen.get(key) ?? 0;
      seen.set(key, times + 1);
      const before = newest.get(producer) ?? 0;
      if (times === 0 && Number(text) < before) violations.push(`${key} came after ${producer} ${before}`);
      newest.set(producer, Math.max(before, Number(text)));
    }

  let acknowledged = 0;
  const missing: string[] = [];
  for (const { producer, acknowledged: numbers } of producers) {
    acknowledged += numbers.length;
    for (const number of numbers)
      if (!seen.has(`${producer} ${number}`)) missing.push(`${producer} ${number}`);
  }
  if (missing.length > most)
    violations.push(
      `${missing.length} lines are missing and L10s account for ${most}: ${missing.slice(0, 5)} …`,
    );
  if (lost !== undefined && (lost < least || lost > most))
    violations.push(
      `the drain's cursor says that it lost ${lost} and L10s account for ${least} to ${most}: ${lossNotices(accepted)}`,
    );

  violations.push(...checkFrameIds(producers, requests));
  if (stored) violations.push(...checkStoredOnce(producers, stored));
  let deliveries = 0;
  for (const times of seen.values()) deliveries += times;
  return {
    acknowledged,
    delivered: seen.size,
    duplicates: deliveries - seen.size,
    missing: missing.length,
    lossesReported: least,
    requests: requests.length,
    violations: violations.slice(0, VIOLATIONS_MAX),
  };
}

/**
 * An L10 that is repeated with its request begins at the same time, with a larger count when more was lost meanwhile. Another loss
 * begins later, or in the same millisecond: a store that is back stores all that waited at once. So two that begin at the same time and
 * have different counts are at least one loss, and at most two.
 */
function reportedLosses(accepted: readonly RecordedRequest[]): { least: number; most: number } {
  const bySince = new Map<string, Set<number>>();
  for (const { notice } of accepted) {
    const [, count, since] = LOSS.exec(notice ?? '') ?? [];
    if (since !== undefined) bySince.set(since, (bySince.get(since) ?? new Set()).add(Number(count)));
  }
  let least = 0;
  let most = 0;
  for (const counts of bySince.values()) {
    least += Math.max(...counts);
    for (const count of counts) most += count;
  }
  return { least, most };
}

function lossNotices(accepted: readonly RecordedRequest[]): string {
  return [...new Set(accepted.map(({ notice }) => notice))].filter(Boolean).join('; ');
}

/** A repeated request has the same frame id and the same lines; another one has another frame id. */
function checkFrameIds(sent: readonly ProducerRecord[], recorded: readonly RecordedRequest[]): string[] {
  const withFrameIds = producersWithFrameIds(sent);
  const violations: string[] = [];
  const byFrameId = new Map<string, string>();
  const byLines = new Map<string, string>();
  for (const { frameId, messages } of recorded) {
    const lines = messages.join('\n');
    const before = byFrameId.get(frameId);
    if (before !== undefined && before !== lines)
      violations.push(`frame ${frameId} came with different lines`);
    byFrameId.set(frameId, lines);
    // The platform may write the same line twice, and a request without frame id may be stored twice when its response was lost.
    if (!messages.some((message) => withFrameIds.has(LINE.exec(message)?.[1] ?? ''))) continue;
    const earlier = byLines.get(lines);
    if (earlier !== undefined && earlier !== frameId && lines !== '')
      violations.push(`the same lines came as frames ${earlier} and ${frameId}: ${lines.slice(0, 60)}`);
    byLines.set(lines, frameId);
  }
  return violations;
}

/** A request with a frame id is stored once, however often it was sent. */
function checkStoredOnce(sent: readonly ProducerRecord[], stored: readonly string[]): string[] {
  const withFrameIds = producersWithFrameIds(sent);
  const times = new Map<string, number>();
  for (const message of stored) {
    const [key, producer] = LINE.exec(message) ?? [];
    if (key !== undefined && withFrameIds.has(producer)) times.set(key, (times.get(key) ?? 0) + 1);
  }
  return [...times]
    .filter(([, count]) => count > 1)
    .map(([key, count]) => `${key} of a request with frame id is stored ${count} times`);
}

function producersWithFrameIds(sent: readonly ProducerRecord[]): ReadonlySet<string> {
  return new Set(sent.filter((one) => one.sendsFrameIds).map(({ producer }) => producer));
}
