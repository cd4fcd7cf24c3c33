/** Numbers as people read them, in commands and on pages. Pure: bundled into the pages, too. */

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Made with the first number that needs it: it takes longer than the rest of a short command's start. */
let numberFormat: Intl.NumberFormat | undefined;

/** `2,000`. */
export function formatNumber(number: number): string {
  if (Number.isInteger(number) && number >= 0 && number < 1_000) return String(number);
  numberFormat ??= new Intl.NumberFormat('en');
  return numberFormat.format(number);
}

/** `1 line`, `2,000 lines`. @param noun takes an `s` for any number but one */
export function formatCount(number: number, noun: string): string {
  return `${formatNumber(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** `512 B`, `1.2 KB`, `12 MB`: of 1,024, as sizes are read in settings. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // What would be rounded to 1,024 of a unit is one of the next.
  for (; value >= 1_023.5 && unit < BYTE_UNITS.length - 1; unit++) value /= 1_024;
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${BYTE_UNITS[unit]}`;
}
