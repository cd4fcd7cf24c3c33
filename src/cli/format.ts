import { sanitizeCell, sanitizeText, terminalSafeJson } from '../logs/tails/output/sanitize.ts';
import { withProgramName } from './program-name.ts';

/** Rows as aligned columns. */
export function formatTable(table: readonly (readonly string[])[]): string {
  const rows = table.map((row) => row.map(sanitizeCell));
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A time in words as short as can be: `0.4 s`, `12 s`, `3 min`, `5 h`, `7 d`. One that another clock takes to be in the future is none. */
export function formatElapsed(elapsedMs: number): string {
  const ms = Math.max(0, elapsedMs);
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** Prints one thing: as JSON when asked to, else as text. Whatever others have written in it can't take over a terminal. */
export function printResult(json: boolean | undefined, value: unknown, text: () => string): void {
  if (json) process.stdout.write(`${terminalSafeJson(value, 2)}\n`);
  else printText(text());
}

/** Prints lines, some of whose words others may have written. */
export function printText(text: string, out: { write(text: string): unknown } = process.stdout): void {
  out.write(`${sanitizeText(withProgramName(text))}\n`);
}

/** Prints values for programs to read: as they are, unless a terminal is there instead. */
export function printValues(json: boolean | undefined, value: unknown, text: () => string): void {
  if (json) printResult(json, value, text);
  else process.stdout.write(`${process.stdout.isTTY ? sanitizeText(text()) : text()}\n`);
}
