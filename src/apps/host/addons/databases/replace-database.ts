/** Another database in a database's place: filled beside it, then renamed. Until then nothing of the old one has changed. */
import { setTimeout as wait } from 'node:timers/promises';
import { TailraceError } from '../../../../common/errors.ts';
import { type DatabaseAddress, runSql } from './postgres-tools.ts';

const NEW = 'tailrace_new';
const OLD = 'tailrace_old';
/** From where the others are renamed. */
const MAINTENANCE = 'postgres';
/** Clients that are connected are ended as often while their database waits for its new name. */
const END_CLIENTS_MS = 200;

/** `hstore`, or with the schema that it goes into: `myschema.hstore`. */
const EXTENSION = /^(?:[a-z_][\w-]{0,62}\.)?[a-z_][\w-]{0,62}$/;

/** @throws TailraceError `invalid_params` */
export function parseExtensions(typed: readonly string[] | null | undefined): readonly string[] {
  for (const name of typed ?? [])
    if (!EXTENSION.test(name))
      throw new TailraceError('invalid_params', `"${name.slice(0, 100)}" is no name of an extension.`);
  return typed ?? [];
}

/**
 * @param extensions made in the new one before it is filled
 * @param fill gets the new one's name @throws then the old one stays
 */
export async function replaceDatabase(
  address: DatabaseAddress,
  extensions: readonly string[],
  fill: (database: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const name = decodeURIComponent(new URL(address.url).pathname.slice(1));
  const sql = (...statements: string[]) => runSql(address, MAINTENANCE, statements);
  const dropOthers = () =>
    sql(`DROP DATABASE IF EXISTS ${NEW} WITH (FORCE)`, `DROP DATABASE IF EXISTS ${OLD} WITH (FORCE)`);
  // What was left when a server died over it.
  await dropOthers();
  try {
    await sql(`CREATE DATABASE ${NEW} TEMPLATE template0`);
    const statements = extensions.flatMap(extensionStatements);
    if (statements.length > 0) await runSql(address, NEW, statements, signal);
    await fill(NEW);
    signal.throwIfAborted();
    await rename(address, name);
  } finally {
    // A failed one, or the old one. What can't be dropped now is dropped before the next one.
    await dropOthers().catch(() => undefined);
  }
}

/**
 * Both at once, or none. PostgreSQL lets nobody connect while it waits for those that are connected.
 */
async function rename(address: DatabaseAddress, name: string): Promise<void> {
  let isDone = false;
  const renamed = runSql(address, MAINTENANCE, [
    `ALTER DATABASE ${identifier(name)} RENAME TO ${OLD}; ALTER DATABASE ${NEW} RENAME TO ${identifier(name)}`,
  ]).finally(() => {
    isDone = true;
  });
  renamed.catch(() => undefined);
  while (!isDone) {
    await endClients(address, name);
    await Promise.race([renamed.catch(() => undefined), wait(END_CLIENTS_MS)]);
  }
  await renamed;
}

/** Ends all connections to a database; of all but this one. */
export async function endClients(address: DatabaseAddress, name?: string): Promise<void> {
  const database = name ?? decodeURIComponent(new URL(address.url).pathname.slice(1));
  await runSql(address, MAINTENANCE, [
    `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ${literal(database)} AND pid <> pg_backend_pid()`,
  ]);
}

function extensionStatements(typed: string): string[] {
  const [extension, schema] = typed.split('.').reverse();
  if (schema === undefined) return [`CREATE EXTENSION IF NOT EXISTS ${identifier(extension)}`];
  return [
    `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}`,
    `CREATE EXTENSION IF NOT EXISTS ${identifier(extension)} WITH SCHEMA ${identifier(schema)}`,
  ];
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
