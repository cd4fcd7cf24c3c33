/** What memcached writes with `-v`, as a reader of the app's stream needs it. */
import type { AddonLines } from '../../local/local-service.ts';
import { SEVERITY, servicePriority } from './line-severity.ts';

const SASL_LINE = /^SASL \(severity (\d)\): (.*)$/;
/** The levels of libsasl (SASL_LOG_…): 1 is an error of its own, 2 a refused password, 3 a warning, 4 a note; the others are for its developers. */
const SASL_SEVERITIES: Readonly<Record<string, number>> = {
  1: SEVERITY.error,
  2: SEVERITY.warning,
  3: SEVERITY.warning,
  4: SEVERITY.notice,
};
const FAILURE =
  /^(?:failed to|failure|ERROR|error|can't|bind\(\)|Fatal|could not|unable|out of memory)|: Assertion |: Permission denied$/i;
const WARNING = /^(?:WARNING|warn)|Too many open connections/i;
/** Where it reads its files from is the same every time, and each client that logs in has two of these; libsasl says why one couldn't. */
const SILENT = /^(?:Reading configuration from: |mech: |sasl result code: |Unknown sasl response: )/;

/** The severity and the message of one line; undefined: it tells nothing. */
export function parseMemcachedLine(
  line: string,
): { readonly severity: number; readonly text: string } | undefined {
  const text = line.trim();
  if (text === '' || SILENT.test(text)) return undefined;
  const sasl = SASL_LINE.exec(text);
  if (sasl) return { severity: SASL_SEVERITIES[sasl[1]] ?? SEVERITY.debug, text: `SASL: ${sasl[2]}` };
  if (FAILURE.test(text)) return { severity: SEVERITY.error, text };
  if (WARNING.test(text)) return { severity: SEVERITY.warning, text };
  return { severity: SEVERITY.info, text };
}

/** Takes memcached's lines one by one, without their ends, and writes those that say something to the app's stream. */
export function readMemcachedLines(lines: AddonLines): { line(text: string): void; end(): void } {
  return {
    line(text) {
      const parsed = parseMemcachedLine(text);
      if (parsed) lines.write(parsed.text, servicePriority(parsed.severity));
    },
    end() {},
  };
}
