/** Severities of syslog (RFC 5424 section 6.2.1), for what services write. */
import { APP_PRIORITY } from '../../../../processes/output/line-sink.ts';

export const SEVERITY = { critical: 2, error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

/** The priority of an app's line, with another severity. */
export function servicePriority(severity: number): number {
  return APP_PRIORITY - (APP_PRIORITY % 8) + severity;
}
