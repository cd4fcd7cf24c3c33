import type { AppId } from './contract.ts';

/** The app that a record of no app belongs to: its field `app`. Undefined when it has none. */
export function appOfRecord(value: unknown): AppId | undefined {
  const app = typeof value === 'object' && value !== null ? (value as { app?: unknown }).app : undefined;
  return typeof app === 'string' ? (app as AppId) : undefined;
}
