/** The table for archives, and for drains in JSON, in ClickHouse. Names are those of the lines; what isn't in them is worked out of them. */

export function createTable(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table} (
  timestamp DateTime,
  facility UInt8,
  severity UInt8,
  level String,
  hostname String,
  app String,
  source String,
  dyno String,
  msgid String,
  structured_data String,
  message String,
  received_at DateTime,
  stream String,
  position String,
  text String MATERIALIZED replaceRegexpAll(message, '\\\\x1B\\\\[[0-9;]*[A-Za-z]', ''),
  rank UInt8 MATERIALIZED if(severity IN (5, 6), multiIf(level = 'error', 3, level = 'warn', 4, level = 'debug', 7, severity), severity)
) ENGINE = MergeTree() PARTITION BY toYYYYMM(timestamp) ORDER BY (app, timestamp)`;
}
