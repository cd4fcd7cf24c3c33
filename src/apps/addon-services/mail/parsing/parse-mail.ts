/** Takes a mail apart (RFC 2045). It may be anything: what is made of it is bounded, and its time is by whoever calls this. */
import { type Attachment, type ParsedMail as Parsed, simpleParser } from 'mailparser';
import { replaceHiddenCharacters } from '../../../../common/text/hidden-characters.ts';
import { frameDocument } from './frame-document.ts';
import type { AttachmentContent, AttachmentSummary, ParsedMail } from './parsed-mail.ts';

/** Characters of a body that are shown. */
const BODY_LENGTH_MAX = 2_000_000;
const HEADERS_MAX = 1_000;
const HEADER_LENGTH_MAX = 16_384;
const HEADERS_LENGTH_MAX = 1_000_000;
const ATTACHMENTS_MAX = 1_000;
const LINKS_MAX = 200;
const LINK_LENGTH_MAX = 2_000;
/** Of a file name, as file systems have it. */
const NAME_LENGTH_MAX = 200;

/** A mail that was taken apart. */
export class RawMailParts {
  readonly mail: ParsedMail;
  private readonly attachments: readonly Attachment[];

  constructor(parsed: Parsed) {
    const html = bounded(parsed.html || '');
    const text = bounded(parsed.text ?? '');
    this.attachments = parsed.attachments.slice(0, ATTACHMENTS_MAX);
    this.mail = {
      text,
      html,
      headers: headersOf(parsed),
      attachments: this.attachments.map((attachment) => summaryOf(attachment, html)),
      links: linksOf(text, html),
    };
  }

  /** From 0, as they are listed; undefined when there are fewer. */
  attachment(number: number): AttachmentContent | undefined {
    const found = this.attachments[number];
    return found && { ...this.mail.attachments[number], content: found.content };
  }

  /** A whole document with its HTML, its own images in it. */
  frameDocument(): string {
    const images = new Map<string, Attachment>();
    for (const one of this.attachments) if (one.cid && !images.has(one.cid)) images.set(one.cid, one);
    return frameDocument(this.mail.html, (cid) => images.get(cid));
  }
}

/** @param raw as it was sent. @throws what the parser throws */
export async function parseRawMail(raw: Buffer): Promise<RawMailParts> {
  const options = {
    keepCidLinks: true,
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
  };
  return new RawMailParts(await simpleParser(raw, options));
}

function headersOf({ headerLines }: Parsed): [string, string][] {
  let length = 0;
  const headers: [string, string][] = [];
  for (const { line } of headerLines.slice(0, HEADERS_MAX)) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1, colon + 1 + HEADER_LENGTH_MAX).trim();
    length += value.length;
    if (length > HEADERS_LENGTH_MAX) break;
    headers.push([line.slice(0, Math.max(0, colon)).slice(0, NAME_LENGTH_MAX), value]);
  }
  return headers;
}

function summaryOf({ filename, contentType, content, cid }: Attachment, html: string): AttachmentSummary {
  return {
    name: fileNameOf(filename ?? ''),
    type: /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(contentType)
      ? contentType.toLowerCase()
      : 'application/octet-stream',
    size: content.length,
    isInline: cid !== undefined && cid !== '' && html.includes(`cid:${cid}`),
  };
}

/** A name that leads nowhere: without folders, and without what isn't seen. */
function fileNameOf(given: string): string {
  const base = given.slice(-4_096).split(/[/\\]/).pop() ?? '';
  const visible = replaceHiddenCharacters(base, () => '_').replace(/[<>:"|?*]/g, '_');
  const name = visible.trim().replace(/^\.+/, '_');
  return name.length > NAME_LENGTH_MAX ? name.slice(-NAME_LENGTH_MAX) : name;
}

function linksOf(text: string, html: string): string[] {
  const found = new Set<string>();
  // Up to what ends an attribute or a word.
  const pattern = /\bhttps?:\/\/[^\s"'<>\\^`{|}]{1,2000}/gi;
  const add = (source: string, decode: (one: string) => string): void => {
    for (const [match] of source.matchAll(pattern)) {
      if (found.size >= LINKS_MAX) return;
      const link = decode(match);
      if (URL.canParse(link) && link.length <= LINK_LENGTH_MAX) found.add(link);
    }
  };
  add(html, (link) => link.replaceAll('&amp;', '&'));
  add(text, (link) => link.replace(/[).,;:!?\]]$/, ''));
  return [...found];
}

function bounded(text: string): string {
  return text.length > BODY_LENGTH_MAX ? text.slice(0, BODY_LENGTH_MAX) : text;
}
