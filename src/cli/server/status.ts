import type { Command } from 'commander';
import { formatBytes, formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import type { ListenerCounters } from '../../logs/sources/listener-counters.ts';
import { ApiClient } from '../api-client.ts';
import { formatElapsed, formatTable, printResult } from '../format.ts';

interface StatusView {
  readonly version: string;
  readonly pid: number;
  readonly uptime_s: number;
  readonly memory_bytes: number;
  readonly sources: readonly ListenerCounters[];
  readonly drains: DrainsView;
  readonly tails: number;
  readonly dynos: Readonly<Record<string, number>>;
  /** null while the store is unavailable. */
  readonly logs: LogsView | null;
  readonly store: StoreView;
  readonly routers: readonly RouterView[];
  readonly certificates?: readonly CertificateView[];
}

interface CertificateView {
  readonly file: string;
  readonly names: readonly string[];
  readonly not_after: string;
  readonly trouble: string | null;
}

interface DrainsView {
  readonly count: number;
  readonly retrying: number;
  readonly lost: number;
  readonly lag_lines: number;
  readonly lag_s: number;
}

interface LogsView {
  readonly apps: number;
  readonly held_bytes: number;
  readonly largest: readonly {
    readonly app: string;
    readonly held_bytes: number;
    readonly stored_bytes: number | null;
  }[];
}

interface StoreView {
  readonly kind: string;
  readonly trouble?: string;
  readonly concerns: readonly string[];
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

interface RouterView {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly uptime_s: number;
  readonly drains: number;
  readonly lag_lines: number;
}

/** `tailrace status`: how the server is doing. */
export function statusCommand(program: Command): void {
  program
    .command('status')
    .description("show how the server is doing; ends with 1 when it can't store lines")
    .option('-j, --json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const client = new ApiClient();
      const status = await client.request<StatusView>('GET', '/status');
      printResult(options.json, status, () => {
        const memory = formatBytes(status.memory_bytes);
        const head = `tailrace ${status.version} at ${client.address.url}: process ${status.pid}, up ${formatElapsed(status.uptime_s * 1_000)}, ${memory}`;
        const rows = status.sources.map((source) =>
          [
            source.protocol,
            source.lines,
            source.malformed,
            source.unknownToken,
            source.duplicates,
            source.lost,
          ].map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)),
        );
        const sources = formatTable([
          ['in by', 'lines', 'malformed', 'unknown token', 'duplicates', 'lost'],
          ...rows,
        ]);
        const parts = [
          head,
          sources,
          formatWork(status),
          formatRouters(status.routers),
          ...formatCertificates(status.certificates ?? []),
          ...(status.logs ? [formatLogs(status.logs)] : []),
          formatStore(status.store),
        ];
        return parts.join('\n\n');
      });
      // For whoever asks whether it is well: the container's health check.
      if (status.store.trouble !== undefined) process.exitCode = 1;
    });
}

/** What goes out, and what runs. */
function formatWork({ drains, tails, dynos }: StatusView): string {
  const { count, retrying, lost, lag_lines, lag_s } = drains;
  const waiting =
    lag_lines === 0
      ? 'nothing waits'
      : `${formatNumber(lag_lines)} lines wait, the oldest for ${formatElapsed(lag_s * 1_000)}`;
  const failing = retrying === 0 ? '' : `, ${formatNumber(retrying)} of them failing`;
  const running = Object.entries(dynos).map(([state, number]) => `${formatNumber(number)} ${state}`);
  return formatTable([
    ['drains here', `${formatNumber(count)}${failing}: ${waiting}, ${formatCount(lost, 'line')} lost`],
    ['tails here', formatNumber(tails)],
    ['dynos here', running.join(', ') || 'none'],
  ]);
}

/** What the logs take: the largest first. */
function formatLogs({ apps, held_bytes, largest }: LogsView): string {
  const rows = largest.map(({ app, held_bytes: held, stored_bytes: stored }) => [
    `  ${app}`,
    formatBytes(held),
    stored === null ? '' : formatBytes(stored),
  ]);
  const head = `logs: ${formatCount(apps, 'app')}, ${formatBytes(held_bytes)}`;
  return rows.length === 0 ? head : `${head}\n${formatTable([['  largest', 'held', 'stored'], ...rows])}`;
}

function formatRouters(routers: readonly RouterView[]): string {
  const rows = routers.map(({ id, host, pid, version, uptime_s, drains, lag_lines }) => [
    id.slice(0, 8),
    `${host}, process ${pid}`,
    version,
    formatElapsed(uptime_s * 1_000),
    formatNumber(drains),
    formatCount(lag_lines, 'line'),
  ]);
  return formatTable([['router', 'where', 'version', 'up', 'drains', 'behind'], ...rows]);
}

/** Nothing where there are none. */
function formatCertificates(certificates: readonly CertificateView[]): string[] {
  if (certificates.length === 0) return [];
  const rows = certificates.map(({ file, names, not_after }) => [
    file,
    names.join(', '),
    not_after.slice(0, 10),
  ]);
  const troubles = certificates.flatMap(({ trouble }) => (trouble === null ? [] : [`  ! ${trouble}`]));
  return [[formatTable([['certificate', 'for', 'until'], ...rows]), ...troubles].join('\n')];
}

function formatStore({ kind, trouble, concerns, facts }: StoreView): string {
  const rows = Object.entries(facts).map(([name, value]) => [
    `  ${name.replace(/_/g, ' ')}`,
    name.endsWith('_bytes') || name === 'bytes' ? formatBytes(Number(value)) : String(value),
  ]);
  const notes = [...(trouble ? [trouble] : []), ...concerns].map((text) => `  ! ${text}`);
  return [`store: ${kind}`, formatTable(rows), ...notes].join('\n');
}
