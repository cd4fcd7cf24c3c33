/** What mongod writes to its log (JSON since MongoDB 4.4, text before), as a reader of the app's stream needs it. */
import type { AddonLines } from '../../local/local-service.ts';
import { SEVERITY, servicePriority } from './line-severity.ts';

/** Fatal, error, warning, informational; debug is D, with or without a level from 1 to 5. */
const SEVERITIES: Readonly<Record<string, number>> = {
  F: SEVERITY.critical,
  E: SEVERITY.error,
  W: SEVERITY.warning,
  I: SEVERITY.info,
};
/** `2020-05-01T15:16:17.180+0000 I  NETWORK  [listener] waiting for connections` */
const TEXT_LINE = /^\d{4}-\d\d-\d\dT[\d:.]{8,15}(?:Z|[+-]\d{4}) ([FEWID])\d? {1,2}(\S.*)$/;

interface JsonLine {
  readonly s: string;
  readonly c: string;
  readonly msg: string;
  readonly attr?: unknown;
}

/** The severity and the message of one line; undefined: it tells nothing. */
export function parseMongodLine(
  line: string,
): { readonly severity: number; readonly text: string } | undefined {
  const text = line.trim();
  if (text === '') return undefined;
  const json = parseJsonLine(text);
  if (json) {
    const attributes = json.attr === undefined ? '' : ` ${JSON.stringify(json.attr)}`;
    return { severity: severityOf(json.s), text: `${json.c} ${json.msg}${attributes}` };
  }
  const parts = TEXT_LINE.exec(text);
  if (parts) return { severity: severityOf(parts[1]), text: parts[2].replace(/ {2,}/, ' ') };
  return { severity: SEVERITY.info, text };
}

function severityOf(letter: string): number {
  return SEVERITIES[letter] ?? SEVERITY.debug;
}

function parseJsonLine(text: string): JsonLine | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const { s, c, msg, attr } = JSON.parse(text) as Partial<JsonLine>;
    return typeof s === 'string' && typeof c === 'string' && typeof msg === 'string'
      ? { s, c, msg, attr }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Takes mongod's lines one by one, without their ends, and writes those that say something to the app's stream. */
export function readMongodLines(lines: AddonLines): { line(text: string): void; end(): void } {
  return {
    line(text) {
      const parsed = parseMongodLine(text);
      if (parsed) lines.write(parsed.text, servicePriority(parsed.severity));
    },
    end() {},
  };
}
