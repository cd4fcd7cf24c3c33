/** Numbers with their units, as logs have them: `200`, `12ms`, `1m30.5s`, `21.00MB`, `97%`. */

export interface Quantity {
  /** In milliseconds, bytes, or as it is written. */
  readonly value: number;
  /** The number alone, as it is written; of several (`1m30s`) the same as `value`. */
  readonly plain: number;
  readonly unit: 'none' | 'time' | 'bytes';
}

const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  msec: 1,
  s: 1_000,
  sec: 1_000,
  secs: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  mins: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  days: 86_400_000,
};
/** Powers of 1,024, as the settings of the server and Heroku's figures have them. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  byte: 1,
  bytes: 1,
  k: 1_024,
  kb: 1_024,
  kib: 1_024,
  mb: 1_048_576,
  mib: 1_048_576,
  g: 1_073_741_824,
  gb: 1_073_741_824,
  gib: 1_073_741_824,
  tb: 1_099_511_627_776,
  tib: 1_099_511_627_776,
};

const LENGTH_MAX = 40;
const NUMBER = /^([+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:e[+-]?\d{1,3})?) ?([a-zµμ]{0,8}|%)$/i;
const TIMES = /^(?:\d{1,9}(?:\.\d{1,9})?[a-zµμ]{1,2}){2,6}$/i;
const TIME_PART = /([\d.]+)([a-zµμ]+)/giy;

/** Reads a number with or without a unit; undefined for what is none. */
export function parseQuantity(text: string): Quantity | undefined {
  if (text.length > LENGTH_MAX) return undefined;
  // Most are.
  if (isShortInteger(text)) return { value: +text, plain: +text, unit: 'none' };
  const match = NUMBER.exec(text);
  if (match) {
    const plain = Number(match[1]);
    const unit = match[2].toLowerCase();
    if (unit === '' || unit === '%') return { value: plain, plain, unit: 'none' };
    if (Object.hasOwn(TIME_UNITS_MS, unit))
      return { value: plain * TIME_UNITS_MS[unit], plain, unit: 'time' };
    if (Object.hasOwn(BYTE_UNITS, unit)) return { value: plain * BYTE_UNITS[unit], plain, unit: 'bytes' };
    return undefined;
  }
  if (!TIMES.test(text)) return undefined;
  let ms = 0;
  for (const [, number, name] of text.matchAll(TIME_PART)) {
    const unit = name.toLowerCase();
    if (!Object.hasOwn(TIME_UNITS_MS, unit)) return undefined;
    ms += Number(number) * TIME_UNITS_MS[unit];
  }
  return { value: ms, plain: ms, unit: 'time' };
}

function isShortInteger(text: string): boolean {
  if (text.length === 0 || text.length > 15) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return true;
}

/** What the name of a field says of a number without a unit. */
const UNIT_IN_NAME = /(?:^|[._-])(ns|nanos|us|micros|s|secs?|seconds|kb|mb|gb)$/i;
const NAMED_UNITS: Readonly<Record<string, string>> = { nanos: 'ns', micros: 'us', seconds: 's' };

/**
 * Below 0, 0 or above 0, as a field's value is less than, equal to or more than what it is compared with; undefined when the two can't be
 * compared. A number without a unit is in that which the field's name ends with (`elapsed_s`, `size_kb`), else milliseconds or
 * bytes; what is compared with a number without a unit is compared as it is written.
 */
export function compareQuantities(name: string, value: Quantity, wanted: Quantity): number | undefined {
  if (wanted.unit === 'none') return value.plain - wanted.value;
  if (value.unit === wanted.unit) return value.value - wanted.value;
  if (value.unit !== 'none') return undefined;
  const named = UNIT_IN_NAME.exec(name)?.[1].toLowerCase();
  const unit = named === undefined ? '' : (NAMED_UNITS[named] ?? named);
  const factors = wanted.unit === 'time' ? TIME_UNITS_MS : BYTE_UNITS;
  return value.value * (Object.hasOwn(factors, unit) ? factors[unit] : 1) - wanted.value;
}
