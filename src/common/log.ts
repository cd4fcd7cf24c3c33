/** What the parts of the server need of its own log. */

/** Each event: fields (ids, counts, `err`) and one sentence. Nothing is logged for each line or batch. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Where nobody listens. */
export const SILENT_LOG: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
