/** Reads the ratios per CPU second out of the tables of RESULTS.md: the picture can show nothing that isn't written there. */

/** What is measured beside a baseline in the same run. */
export interface Ratio {
  /** Heading of the table. */
  readonly table: string;
  readonly name: string;
  /** Lines per CPU second, divided by the baseline's. */
  readonly value: number;
  readonly goal: number | undefined;
}

const CPU_COLUMN = 'lines a CPU second';
/** Goals of tables that have none of their own, by the beginning of their headings and of the names of rows; the first one counts. */
const GOALS: readonly (readonly [table: string, row: RegExp, goal: number])[] = [
  ['syslog TCP in', /^tailrace/, 3.5],
  ['Every form of syslog', /^RFC 5424, octet counted/, 3.5],
  ['Every form of syslog', /^RFC 5424, newlines/, 3],
  ['Every form of syslog', /^RFC 5424/, 2],
  ['Every form of syslog', /^TLS/, 1.5],
  ['Every form of syslog', /^UDP/, 1],
  ['Every form of syslog', /rules$/, 1 / 1.2],
  ['Every form of syslog', /^RFC 3164/, 2.5],
  ['The ways out', /^(?:HTTPS?|syslog)/, 0.7],
  ['Lines of many apps that alternate', /./, 0.67],
];

/** The ratios of all tables, in their order; of two tables with one heading those of the later one. */
export function readRatios(markdown: string): Ratio[] {
  const tables = new Map<string, Ratio[]>();
  for (const section of markdown.split(/^##+ /m).slice(1)) {
    const [heading, ...lines] = section.split('\n');
    const [columns, , ...rows] = lines.filter((line) => line.startsWith('|')).map(cellsOf);
    const ratios = columns && rows.flatMap((cells) => readRow(heading.trim(), columns, cells));
    // Without a goal it isn't about being as fast as something else.
    if (ratios?.some(({ goal }) => goal !== undefined)) tables.set(heading.trim(), ratios);
  }
  return [...tables.values()].flat();
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function readRow(table: string, columns: readonly string[], cells: readonly string[]): Ratio[] {
  const cpuAt = columns.indexOf(CPU_COLUMN);
  const ratioAt = columns.findIndex((column, i) => i > cpuAt && column.startsWith('×'));
  const value = Number(cells[ratioAt]);
  // What others are compared with is 1 in each.
  if (cpuAt === -1 || !(value > 0) || cells[0] === columns[ratioAt].slice(2)) return [];
  const name = columns[1] === 'apps' ? `${cells[0]}, ${cells[1]} apps` : cells[0];
  if (columns[1] === 'apps' && `${cells[1]} apps` === columns[ratioAt].slice(2)) return [];
  const own = Number(cells[columns.indexOf('goal')]);
  const [, , goal] = GOALS.find(([start, row]) => table.startsWith(start) && row.test(name)) ?? [];
  return [{ table, name, value, goal: own > 0 ? own : goal }];
}
