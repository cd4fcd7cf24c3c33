import { readFileSync } from 'node:fs';

/** Which start of the machine this is, as Linux names it; '' where nothing says it (macOS). */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
