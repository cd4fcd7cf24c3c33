/** Sizes and times as people write them: `100MB`, `64KiB`, `30m`, `7d`. Both are more than zero. */

const BYTES: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

const MILLISECONDS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/** Bytes, in any of the units B, KB, MB, GB (1,000), KiB, MiB, GiB (1,024), in any case, or without one. Undefined for what isn't a size. */
export function parseByteCount(text: string): number | undefined {
  return parseQuantity(/^(\d{1,12})\s*([a-z]*)$/i.exec(text), BYTES, (unit) => unit.toUpperCase());
}

/** Milliseconds; units are s, m, h and d, in lower case. Undefined for what isn't a time. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(/^(\d{1,9})\s*([smhd])$/.exec(text), MILLISECONDS, (unit) => unit);
}

function parseQuantity(
  match: RegExpExecArray | null,
  units: Record<string, number>,
  normal: (unit: string) => string,
): number | undefined {
  if (match === null) return undefined;
  const unit = normal(match[2]);
  if (!Object.hasOwn(units, unit)) return undefined;
  const product = Number(match[1]) * units[unit];
  return product > 0 && Number.isSafeInteger(product) ? product : undefined;
}
