/** What every add-on service of this package begins with: its settings, its log lines, its end. */

import { readFileSync } from 'node:fs';
import { errorMessage } from '../../../common/text/error-message.ts';
import type { OwnProgramSettings } from '../../host/addons/local/own-program.ts';

/** Severities (RFC 5424 section 6.2.1) that services use. */
export type ServiceSeverity = 'error' | 'warning' | 'notice' | 'info';
const SEVERITIES: Readonly<Record<ServiceSeverity, number>> = { error: 3, warning: 4, notice: 5, info: 6 };

/** Writes one line to the app's stream: control characters, which would end it, become spaces. */
export function logLine(severity: ServiceSeverity, text: string): void {
  process.stdout.write(`<${SEVERITIES[severity]}>${text.replace(/[\r\n]+/g, ' ')}\n`);
}

/** How often it is looked whether the server is still there. */
const PARENT_CHECK_MS = 500;

/**
 * Runs a service in the current folder until SIGTERM or SIGINT, or until the server that started it is gone.
 *
 * @param start listens, and resolves with how to end: clients' requests that are under way are answered first
 */
export async function runService<Settings extends OwnProgramSettings>(
  start: (settings: Settings) => Promise<{ close(): Promise<void> }>,
): Promise<void> {
  const parent = process.ppid;
  // Nobody reads what it says any more: the check below ends it.
  process.stdout.on('error', () => undefined);
  try {
    const service = await start(JSON.parse(readFileSync('service.json', 'utf8')) as Settings);
    let isEnding = false;
    const end = (): void => {
      if (isEnding) return;
      isEnding = true;
      void service.close().finally(() => process.exit(0));
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
    setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS).unref();
  } catch (error) {
    logLine('error', errorMessage(error));
    process.exit(1);
  }
}
