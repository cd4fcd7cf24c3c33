/**
 * What it costs to find, of a thousand searches, those that a line matches: processor time of one thread, without anything around it.
 *
 *   node dist/bench/viewer/alert-matching.js [--lines 200000] [--runs 5] [--searches 1000] [--only words|mixed|even|compared]
 */
import { SearchSet } from '../../drains/viewer/alerts/matching/search-set.ts';
import { readQuery } from '../../src/logs/query/read-query.ts';
import { RecordCursor } from '../../src/logs/syslog/batch.ts';
import { formatDecimal, formatInteger, median, parseFlags, runIfMain, type Table } from '../rig/report.ts';
import { makeAlertLine, randomNumbers } from './alert-lines.ts';
import { SEARCH_KINDS } from './alert-searches.ts';
import { batchOfLines } from './log-lines.ts';

const LINES_A_BATCH = 500;
const BATCHES = 40;

export async function measure(args: readonly string[]): Promise<Table> {
  const flags = parseFlags(args, { lines: 200_000, runs: 5, searches: 1_000 }, ['only']);
  const random = randomNumbers(1);
  const batches = Array.from(
    { length: BATCHES },
    () => batchOfLines(Array.from({ length: LINES_A_BATCH }, () => makeAlertLine(random))).bytes,
  );
  const kinds = Object.entries(SEARCH_KINDS).filter(([name]) => !flags.only || name === flags.only);
  const sets = kinds.map(([name, query]) => {
    const expressions = Array.from({ length: flags.searches }, (_, i) => readQuery(query(i)).expression);
    return { name, set: new SearchSet(expressions), costs: [] as number[], matches: 0 };
  });
  // By turns, since the machine is never the same for long. The first round warms up.
  for (let round = 0; round <= flags.runs; round++)
    for (const one of sets) {
      const { micros, matches } = matchAll(one.set, batches, flags.lines);
      one.matches = matches;
      if (round > 0) one.costs.push((micros * 1_000) / flags.lines);
    }
  return {
    title: `what it costs to match ${formatInteger(flags.searches)} searches`,
    note: `Lines of 220 bytes in batches of ${LINES_A_BATCH}; processor time, medians of ${flags.runs} runs of ${formatInteger(flags.lines)} lines.`,
    columns: ['', 'ns of CPU a line', 'matches a line'],
    rows: sets.map(({ name, costs, matches }) => [
      name,
      formatInteger(median(costs)),
      formatDecimal(matches / flags.lines),
    ]),
  };
}

function matchAll(
  set: SearchSet,
  batches: readonly Buffer[],
  lines: number,
): { micros: number; matches: number } {
  let matches = 0;
  const onMatch = (): void => {
    matches++;
  };
  const before = process.cpuUsage();
  for (let left = lines, i = 0; left > 0; left -= LINES_A_BATCH, i++) {
    const batch = batches[i % batches.length];
    if (!set.startBatch(batch)) continue;
    const cursor = new RecordCursor(batch);
    while (cursor.advance()) set.match(cursor, batch, onMatch);
  }
  const { user, system } = process.cpuUsage(before);
  return { micros: user + system, matches };
}

await runIfMain(import.meta.url, measure);
