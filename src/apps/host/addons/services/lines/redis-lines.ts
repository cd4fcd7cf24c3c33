/** What Redis writes to its log, as a reader of the app's stream needs it. */
import type { AddonLines } from '../../local/local-service.ts';
import { SEVERITY, servicePriority } from './line-severity.ts';

/** `28926:M 28 Nov 2026 17:53:39.151 * Ready to accept connections`: process, role, time (the line has its own), level. */
const LOG_LINE = /^\d+:[A-Z] \d\d [A-Z][a-z]{2} \d{4} [\d:.]{12} ([.*#-]) (.*)$/;
/** What is written from within a signal handler: `28926:signal-handler (1795888421) Received SIGTERM scheduling shutdown...` */
const SIGNAL_LINE = /^\d+:signal-handler \(\d+\) (.*)$/;
/** The levels debug, verbose, notice, warning of redis.conf's `loglevel`. */
const LEVELS: Readonly<Record<string, number>> = {
  '.': SEVERITY.debug,
  '-': SEVERITY.info,
  '*': SEVERITY.notice,
  '#': SEVERITY.warning,
};
/** Redis says at its highest level, whatever `loglevel` is, that it starts and ends as it should … */
const ROUTINE =
  /^(?:Redis version=|Configuration loaded|Server initialized|User requested shutdown|Redis is now ready to exit)/;
/** … and that it can't go on. */
const FATAL =
  /^(?:Fatal|Can't|Could not|Failed|Error|Out Of Memory|Bad file format|Unexpected end of file|Redis \S+ crashed)|Exiting|MISCONF/i;
const BANNER = /oO0OoO0OoO0Oo/;

/**
 * The severity and the message of one line; undefined: it tells nothing.
 * @param isReport within a crash report, which is some hundred lines of registers and memory
 */
function parseRedisLine(
  line: string,
  isReport = false,
): { readonly severity: number; readonly text: string } | undefined {
  const signalled = SIGNAL_LINE.exec(line)?.[1];
  if (signalled !== undefined) return { severity: SEVERITY.notice, text: signalled };
  const [, level, message = line] = LOG_LINE.exec(line) ?? [];
  const text = message.trim();
  if (text === '' || BANNER.test(text)) return undefined;
  if (/^\*\*\* FATAL |^=== REDIS BUG REPORT START/.test(text)) return { severity: SEVERITY.error, text };
  if (level === '#' && FATAL.test(text)) return { severity: SEVERITY.error, text };
  if (isReport) return { severity: SEVERITY.debug, text };
  if (level === undefined) return { severity: SEVERITY.info, text };
  return { severity: ROUTINE.test(text) ? SEVERITY.notice : LEVELS[level], text };
}

/** Reads one run's lines. */
export function readRedisLines(lines: AddonLines): { line(text: string): void; end(): void } {
  let isReport = false;
  return {
    line(text) {
      isReport ||= text.startsWith('=== REDIS BUG REPORT START');
      const parsed = parseRedisLine(text, isReport);
      if (parsed) lines.write(parsed.text, servicePriority(parsed.severity));
      if (text.startsWith('=== REDIS BUG REPORT END')) isReport = false;
    },
    end() {},
  };
}
