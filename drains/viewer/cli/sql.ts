/** `viewer sql`: a search as ClickHouse is asked it, for whoever keeps more than one machine holds. */
import type { Command } from 'commander';
import { TailraceError } from '../../../src/common/errors.ts';
import { explainTime, parseTime } from '../../../src/common/time-expression.ts';
import { readQuery } from '../../../src/logs/query/read-query.ts';
import { clickHouseCondition } from '../archive/engine/clickhouse-query.ts';
import { createTable } from '../archive/engine/clickhouse-table.ts';

interface SqlOptions {
  readonly create?: boolean;
  readonly table: string;
  readonly count?: boolean;
  readonly lines: string;
}

/** Adds `viewer sql`. It talks to nobody: it prints a statement for `clickhouse-client`. */
export function addSqlCommand(program: Command): void {
  program
    .command('sql [query...]')
    .description('print a search as SQL for ClickHouse, which reads archives and drains in JSON')
    .option('--create', 'the statement that makes the table')
    .option('--table <name>', 'the table', 'logs')
    .option('--count', 'how many lines match, instead of the lines')
    .option('-n, --lines <number>', 'the last so many lines', '100')
    .action((words: readonly string[], options: SqlOptions) => {
      process.stdout.write(`${sqlOf(words.join(' '), options, Date.now())}\n`);
    });
}

/** @throws TailraceError `invalid_params` */
export function sqlOf(q: string, { create, table, count, lines }: SqlOptions, nowMs: number): string {
  if (!/^\w{1,100}(?:\.\w{1,100})?$/.test(table))
    throw new TailraceError('invalid_params', '--table takes a name of letters, digits and underscores.');
  if (create) return `${createTable(table)};`;
  if (!/^[1-9]\d{0,8}$/.test(lines))
    throw new TailraceError('invalid_params', '--lines takes a number above 0.');
  const { expression, since, until } = readQuery(q);
  const conditions = [
    ...(expression ? [clickHouseCondition(expression)] : []),
    ...(since === undefined ? [] : [`timestamp >= ${timeSql(since, nowMs)}`]),
    ...(until === undefined ? [] : [`timestamp < ${timeSql(until, nowMs)}`]),
  ];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  if (count) return `SELECT count() FROM ${table}${where};`;
  return `SELECT * FROM ${table}${where} ORDER BY timestamp DESC LIMIT ${lines};`;
}

function timeSql(text: string, nowMs: number): string {
  const ms = parseTime(text, nowMs);
  if (ms === undefined) throw new TailraceError('invalid_params', explainTime(text));
  return `toDateTime(${Math.floor(ms / 1_000)})`;
}
