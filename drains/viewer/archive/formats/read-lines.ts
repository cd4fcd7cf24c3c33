/** Reads files of lines in the forms that people have them in: archives of ours, Papertrail's, JSON of other programs, text. */

import { TailraceError } from '../../../../src/common/errors.ts';
import { parseJsonObject } from '../../../../src/common/json-object.ts';
import { cutText } from '../../../../src/common/text/cut-text.ts';
import { jsonToSyslogLine } from '../../../../src/logs/sources/formats/json-lines.ts';
import { SyslogHeader, scanHeader } from '../../../../src/logs/syslog/header.ts';
import type { ImportedLine } from '../../store/contract.ts';
import { readArchivedObject } from './archive-line.ts';
import { readPapertrailLine } from './papertrail.ts';
import { readPlainLine, withFollowingLine } from './plain-text.ts';
import { type FileLine, RecordWriter } from './record-writer.ts';

export const FILE_FORMATS = ['ndjson', 'papertrail', 'text', 'syslog'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** A line of a file with what it says of itself. */
export interface ReadLine extends ImportedLine {
  /** Of an archive: which stream it is of, and where it was there. */
  readonly stream: string | undefined;
  readonly app: string | undefined;
  readonly position: number | undefined;
}

/** The source of what names none. */
const SOURCE = 'app';

/** Reads a file line by line. */
export class FileLines {
  private readonly name: string;
  private readonly records = new RecordWriter();
  private readonly header = new SyslogHeader();
  private known: FileFormat | undefined;
  /** Text may go on in the next line. */
  private open: FileLine | undefined;
  /** Lines that were read, and that could not be. */
  lines = 0;
  unreadable = 0;
  private firstUnreadable: { readonly text: string; readonly why: string } | undefined;

  /**
   * @param name of the file, for the sentences
   * @param format undefined: it is seen by the first line
   */
  constructor(name: string, format?: FileFormat) {
    this.name = name;
    this.known = format;
  }

  /** As it was given, or seen by the first line; undefined before that. */
  get format(): FileFormat | undefined {
    return this.known;
  }

  /** A sentence about lines that could not be read; undefined when all could. */
  get problem(): string | undefined {
    const { firstUnreadable: first } = this;
    if (first === undefined) return undefined;
    const how = this.unreadable === 1 ? "1 line can't be read" : `${this.unreadable} lines can't be read`;
    return `${this.name}: ${how} as ${this.known}, the first begins with ${JSON.stringify(first.text)}${first.why}.`;
  }

  /**
   * What some lines of the file are.
   * @throws TailraceError `bad_request` when the file is in no form that is known.
   */
  take(texts: readonly string[]): ReadLine[] {
    const found: ReadLine[] = [];
    for (const text of texts) {
      if (text === '') continue;
      this.known ??= detectFormat(text, this.name);
      this.takeLine(text, this.known, found);
    }
    return found;
  }

  /** What is left at the end. */
  end(): ReadLine[] {
    const found: ReadLine[] = [];
    this.closeOpen(found);
    return found;
  }

  private takeLine(text: string, format: FileFormat, found: ReadLine[]): void {
    if (format === 'ndjson') this.takeJson(text, found);
    else if (format === 'papertrail') this.takePapertrail(text, found);
    else if (format === 'text') this.takeText(text, found);
    else this.takeSyslog(text, undefined, found, text);
  }

  private takePapertrail(text: string, found: ReadLine[]): void {
    const line = readPapertrailLine(text);
    if (line) this.add(line, found);
    else this.refuse(text);
  }

  private takeText(text: string, found: ReadLine[]): void {
    const line = readPlainLine(text);
    if (line) {
      this.closeOpen(found);
      this.open = line;
    } else if (this.open) this.open = withFollowingLine(this.open, text);
    else this.refuse(text);
  }

  private closeOpen(found: ReadLine[]): void {
    const { open } = this;
    this.open = undefined;
    if (open) this.add(open, found);
  }

  private takeJson(text: string, found: ReadLine[]): void {
    const value = parseJsonObject(text);
    const line = value && readArchivedObject(value);
    if (!value) this.refuse(text);
    else if (line) this.add(line, found, line);
    else this.takeSyslog(jsonToSyslogLine(value, undefined), SOURCE, found, text);
  }

  /** @param given as it stands in the file */
  private takeSyslog(text: string, source: string | undefined, found: ReadLine[], given: string): void {
    const bytes = Buffer.from(text);
    const { header } = this;
    const isRead = scanHeader(bytes, 0, bytes.length, header);
    const timeMs = isRead
      ? Date.parse(bytes.toString('latin1', header.timeStart, header.hostStart - 1))
      : Number.NaN;
    // Lines of the past without a time have no place.
    if (Number.isNaN(timeMs)) {
      this.refuse(given, isRead ? ', and has no time that can be read' : undefined);
      return;
    }
    this.lines++;
    for (const line of this.records.take(bytes, source, timeMs, timeMs))
      found.push(withOrigin(line, undefined));
  }

  private add(line: FileLine, found: ReadLine[], origin?: LineOrigin): void {
    const { timestamp } = line.record;
    const timeMs = Date.parse(timestamp.replace(/ ?([+-]\d\d):?(\d\d)$/, '$1:$2'));
    const at = Number.isNaN(timeMs) ? line.receivedAtMs : timeMs;
    const records = at === undefined ? [] : this.records.write(line, at);
    if (records.length === 0) this.refuse(line.record.message);
    else this.lines++;
    for (const record of records) found.push(withOrigin(record, origin));
  }

  private refuse(text: string, why = ''): void {
    this.unreadable++;
    this.firstUnreadable ??= { text: cutText(text, 80), why };
  }
}

type LineOrigin = Pick<ReadLine, 'stream' | 'app' | 'position'>;

function withOrigin(
  { timeMs, receivedAtMs, record }: ImportedLine,
  origin: LineOrigin | undefined,
): ReadLine {
  return {
    timeMs,
    receivedAtMs,
    record,
    stream: origin?.stream,
    app: origin?.app,
    position: origin?.position,
  };
}

function detectFormat(text: string, name: string): FileFormat {
  if (text.startsWith('{') && parseJsonObject(text)) return 'ndjson';
  if (/^<\d{1,3}>1 /.test(text)) return 'syslog';
  if (readPapertrailLine(text)) return 'papertrail';
  if (readPlainLine(text)) return 'text';
  throw new TailraceError(
    'bad_request',
    `${name} can't be read: its first line is no JSON object, no line of Papertrail's archives (ten columns with tabs between them), no text as "heroku logs" prints it (2026-11-28T20:00:00Z app[web.1]: …), and no syslog (RFC 5424).`,
  );
}
