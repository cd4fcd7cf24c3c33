/** Reads the texts of settings; each throws a TailraceError `settings` that says what it must be. */
import { TailraceError } from '../errors.ts';
import { DURATION_FORMS, explainDuration, parseDuration } from '../time-expression.ts';
import type { SettingRow } from './settings-table.ts';

/** The text that was set for a row, or its default. */
export type SettingText = (row: SettingRow) => string;

function rejectSetting(row: SettingRow, text: string, expected: string): never {
  throw new TailraceError('settings', `${row.variable} is "${text}": it must be ${expected}.`);
}

export function readPort(row: SettingRow, text: SettingText): number {
  const value = text(row);
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) rejectSetting(row, value, 'a port from 0 to 65535');
  return number;
}

export function readCount(row: SettingRow, text: SettingText): number {
  const value = text(row);
  if (!/^[1-9]\d{0,14}$/.test(value)) rejectSetting(row, value, 'a number above 0');
  return Number(value);
}

export function readCountOrZero(row: SettingRow, text: SettingText): number {
  return text(row) === '0' ? 0 : readCount(row, text);
}

const BYTE_UNITS: Record<string, number> = { '': 1, B: 1, KB: 1_024, MB: 1_048_576, GB: 1_073_741_824 };

export function readByteCount(row: SettingRow, text: SettingText): number {
  const value = text(row);
  const match = /^(\d{1,12})\s*(B|KB|MB|GB)?$/i.exec(value);
  const number = match ? Number(match[1]) * BYTE_UNITS[(match[2] ?? '').toUpperCase()] : 0;
  if (number <= 0) rejectSetting(row, value, 'a number of bytes, such as 512MB');
  return number;
}

/** Undefined: no limit. */
export function readRateLimit(row: SettingRow, text: SettingText): number | undefined {
  return text(row) === '' ? undefined : readByteCount(row, text);
}

/** Undefined: no limit, for `none`. */
export function readQuota(
  row: SettingRow,
  text: SettingText,
  defaultQuota: number | undefined,
): number | undefined {
  if (text(row) === '') return defaultQuota;
  return text(row).toLowerCase() === 'none' ? undefined : readByteCount(row, text);
}

export function readDurationMs(row: SettingRow, text: SettingText): number {
  const value = text(row);
  const ms = parseDuration(value);
  if (ms === undefined) throw new TailraceError('settings', `${row.variable}: ${explainDuration(value)}`);
  return ms > 0 ? ms : rejectSetting(row, value, `above 0, such as ${DURATION_FORMS}`);
}

export function readFlag(row: SettingRow, text: SettingText): boolean | undefined {
  const value = text(row);
  if (value === '') return undefined;
  if (['1', 'true', 'yes', 'on'].includes(value.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off'].includes(value.toLowerCase())) return false;
  return rejectSetting(row, value, 'yes or no');
}

export function readChoice<const T extends string>(
  row: SettingRow,
  text: SettingText,
  choices: readonly T[],
): T {
  const value = text(row);
  return choices.find((one) => one === value) ?? rejectSetting(row, value, `one of ${choices.join(', ')}`);
}
