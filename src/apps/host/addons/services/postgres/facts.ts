/** What a PostgreSQL server is like now: asked with psql, in one query. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { reasonOf, TailraceError } from '../../../../../common/errors.ts';
import { hostEnvironment } from '../../../../build/slug-files.ts';
import type { LocalInstance } from '../../local/local-service.ts';
import { machineSamples } from '../../local/machine-samples.ts';
import { dataVersionOf, requirePostgresProgram } from './programs.ts';

const ASK_TIMEOUT_MS = 10_000;

/** In the order of {@link FACTS_QUERY}. */
export interface DatabaseFacts {
  readonly bytes: number;
  readonly size: string;
  readonly tables: number;
  readonly connections: number;
  readonly connectionsMax: number;
  readonly waiting: number;
  readonly transaction: string;
  readonly indexHitRate: number;
  readonly tableHitRate: number;
  readonly version: string;
}

/** Its own connection isn't one of the app's. A rate without any reads is one of hits alone. */
const FACTS_QUERY = `SELECT pg_database_size(current_database()), pg_size_pretty(pg_database_size(current_database())),
  (SELECT count(*) FROM pg_stat_user_tables),
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
  current_setting('max_connections'),
  (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'),
  pg_snapshot_xmax(pg_current_snapshot()),
  (SELECT round(coalesce(sum(idx_blks_hit) / nullif(sum(idx_blks_hit + idx_blks_read), 0), 1), 5) FROM pg_statio_user_indexes),
  (SELECT round(coalesce(sum(heap_blks_hit) / nullif(sum(heap_blks_hit + heap_blks_read), 0), 1), 5) FROM pg_statio_user_tables),
  current_setting('server_version')`;

/** @throws TailraceError `unavailable` */
export async function askPostgres(instance: LocalInstance): Promise<DatabaseFacts> {
  const [bytes, size, tables, connections, connectionsMax, waiting, transaction, index, table, version] = (
    await queryInstance(instance, FACTS_QUERY)
  ).split('|');
  return {
    bytes: Number(bytes),
    size,
    tables: Number(tables),
    connections: Number(connections),
    connectionsMax: Number(connectionsMax),
    waiting: Number(waiting),
    transaction,
    indexHitRate: Number(index),
    tableHitRate: Number(table),
    version,
  };
}

/** Named as Heroku names them, in its units. */
export function postgresSamples(facts: DatabaseFacts, folder: string): Record<string, string | number> {
  return {
    current_transaction: facts.transaction,
    db_size: `${facts.bytes}bytes`,
    tables: facts.tables,
    'active-connections': facts.connections,
    'waiting-connections': facts.waiting,
    'index-cache-hit-rate': facts.indexHitRate,
    'table-cache-hit-rate': facts.tableHitRate,
    ...machineSamples(folder),
  };
}

/** One row, its columns with `|` between. @throws TailraceError `unavailable`, with what psql said */
export async function queryInstance(instance: LocalInstance, sql: string): Promise<string> {
  const { port, password, name, folder } = instance;
  const psql = requirePostgresProgram('psql', dataVersionOf(folder));
  const options = ['-X', '-A', '-t', '-F', '|', '-h', '127.0.0.1', '-p', String(port), '-U', 'app'];
  try {
    const { stdout } = await promisify(execFile)(psql, [...options, '-c', sql, 'app'], {
      env: { ...hostEnvironment(process.env), PGPASSWORD: password, PGCONNECT_TIMEOUT: '3' },
      timeout: ASK_TIMEOUT_MS,
    });
    return stdout.trim();
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : reasonOf(error);
    throw new TailraceError('unavailable', `${name} doesn't answer: ${said}`, { cause: error });
  }
}
