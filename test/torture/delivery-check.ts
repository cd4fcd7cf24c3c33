/**
 * What has to be true of a drain after everything that happened to it: a pure function of what the producers know and
 * what the drain recorded.
 */

/** A line is `<producer> <number>`: each producer counts its own from 1. */
export interface ProducerRecord {
  readonly producer: string;
  /** Numbers that were acknowledged, in the order of their acknowledgement. */
  readonly acknowledged: readonly number[];
  /** Were its requests named (`Logplex-Frame-Id`), so that none is stored twice? */
  readonly sendsFrameIds: boolean;
}

/** One request that the drain got; it need not have accepted it. */
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
  /** Lines that the L10s for this drain accounted for at the least, each loss once. */
  readonly lossesReported: number;
  readonly requests: number;
  /** What was broken, each in a sentence; none when every promise held. */
  readonly violations: readonly string[];
}

const LINE = /^(\S+) (\d+)\b/;
const LOSS = /^Error L10 .* dropped (\d+) messages since (\S+?)\.(?: |$)/;
/** So many broken promises are told. */
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
  const { least: accounted, most } = reportedLosses(accepted);
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
  if (lost !== undefined && (lost < accounted || lost > most))
    violations.push(
      `the drain's cursor says that it lost ${lost} and L10s account for ${accounted} to ${most}: ${lossNotices(accepted)}`,
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
    lossesReported: accounted,
    requests: requests.length,
    violations: violations.slice(0, VIOLATIONS_MAX),
  };
}

/**
 * An L10 that is repeated, since its request was, begins at the same time; when more was lost meanwhile it says so. Another
 * loss begins later, or in the same millisecond: a store that is back takes all that waited at once. So two that begin at the same
 * time and have different counts are one loss at the least, and two at the most.
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

/** A request that is repeated has the same name and the same lines; another one has another name. */
function checkFrameIds(sent: readonly ProducerRecord[], recorded: readonly RecordedRequest[]): string[] {
  const named = producersWithFrameIds(sent);
  const broken: string[] = [];
  const byName = new Map<string, string>();
  const byLines = new Map<string, string>();
  for (const { frameId, messages } of recorded) {
    const lines = messages.join('\n');
    const before = byName.get(frameId);
    if (before !== undefined && before !== lines) broken.push(`frame ${frameId} came with different lines`);
    byName.set(frameId, lines);
    // The platform's own lines may say the same twice, and what has no name may be stored again when nobody knew whether it was.
    if (!messages.some((message) => named.has(LINE.exec(message)?.[1] ?? ''))) continue;
    const name = byLines.get(lines);
    if (name !== undefined && name !== frameId && lines !== '')
      broken.push(`the same lines came as frames ${name} and ${frameId}: ${lines.slice(0, 60)}`);
    byLines.set(lines, frameId);
  }
  return broken;
}

/** A named request is stored once, however often it was sent. */
function checkStoredOnce(sent: readonly ProducerRecord[], stored: readonly string[]): string[] {
  const named = producersWithFrameIds(sent);
  const times = new Map<string, number>();
  for (const message of stored) {
    const [key, producer] = LINE.exec(message) ?? [];
    if (key !== undefined && named.has(producer)) times.set(key, (times.get(key) ?? 0) + 1);
  }
  return [...times]
    .filter(([, count]) => count > 1)
    .map(([key, count]) => `${key} of a named request is stored ${count} times`);
}

function producersWithFrameIds(sent: readonly ProducerRecord[]): ReadonlySet<string> {
  return new Set(sent.filter((one) => one.sendsFrameIds).map(({ producer }) => producer));
}
