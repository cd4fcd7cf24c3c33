import type { Command } from 'commander';
import type { SourceCounters } from '../sources/counters.ts';
import { Client } from './client.ts';
import { number, print, table, time } from './table.ts';

interface StatusView {
  readonly version: string;
  readonly pid: number;
  readonly uptime_s: number;
  readonly memory_bytes: number;
  readonly sources: readonly SourceCounters[];
}

/** `tailrace status`: how the server is doing. */
export function statusCommand(program: Command): void {
  program
    .command('status')
    .description('show how the server is doing')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const client = new Client();
      const status = await client.ask<StatusView>('GET', '/status');
      print(options.json, status, () => {
        const memory = `${Math.round(status.memory_bytes / 1_048_576)} MB`;
        const head = `tailrace ${status.version} at ${client.address.url}: process ${status.pid}, up ${time(status.uptime_s * 1_000)}, ${memory}`;
        const rows = status.sources.map((source) =>
          [
            source.protocol,
            source.lines,
            source.malformed,
            source.unknownToken,
            source.duplicates,
            source.lost,
          ].map((cell) => (typeof cell === 'number' ? number(cell) : cell)),
        );
        return `${head}\n\n${table([['in by', 'lines', 'malformed', 'unknown token', 'duplicates', 'lost'], ...rows])}`;
      });
    });
}
