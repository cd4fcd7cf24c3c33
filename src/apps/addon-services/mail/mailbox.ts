/**
 * Caught mails, each in a file of its own: a line of JSON with its envelope, and the mail as it was sent. A mail is written beside
 * the others, synced, and then renamed: one that was accepted survives whatever ends the process, and one that wasn't leaves nothing.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TailraceError } from '../../../common/errors.ts';
import { renameSynced, replaceFile } from '../../../common/files/replace-file.ts';
import { MAIL_HEAD_BYTES_MAX, readMailHead } from './mail-head.ts';
import type { MailEnvelope, MailHead, StoredMail } from './stored-mail.ts';

export interface MailboxOptions {
  readonly folder: string;
  /** How much is kept: the oldest go. */
  readonly messagesMax: number;
  readonly bytesMax: number;
  /** Of one mail. */
  readonly messageBytesMax: number;
  readonly onEvent: (event: MailboxEvent) => void;
  /** The oldest had to go. */
  readonly onDropped?: () => void;
}

/** What pages are told. */
export type MailboxEvent =
  | { readonly type: 'added' | 'changed'; readonly mail: StoredMail }
  /** Left out: all. */
  | { readonly type: 'deleted'; readonly id?: string };

/** The line of JSON before a mail. */
interface FileHead {
  readonly envelope: MailEnvelope;
  readonly receivedMs: number;
}
/** Beside a mail, and made anew when it isn't there. */
interface Notes extends MailHead {
  readonly isRead: boolean;
}
interface Entry {
  mail: StoredMail;
  /** Where the mail begins in its file. */
  readonly offset: number;
}

const EXTENSION = '.eml';
const ENTRY_NAME = /^(\d{12})-[0-9a-f]{8}\.eml$/;
const NOTES_NAME = /^(\d{12}-[0-9a-f]{8})\.json(?:\.new)?$/;
/** Longer than nearly all lines of JSON that were written, and than all of JSON that was written: 100 addresses of 256 bytes, escaped. */
const FILE_HEAD_BYTES = 4_096;
const FILE_HEAD_BYTES_MAX = 262_144;
const LINE_FEED = 0x0a;

export class Mailbox {
  private readonly options: MailboxOptions;
  /** By id, oldest first. */
  private readonly entries = new Map<string, Entry>();
  private sequence = 0;
  private newestId = '';
  private totalBytes = 0;
  private droppedCount = 0;
  /** What isn't needed to answer is written one after the other. */
  private writing: Promise<void> = Promise.resolve();

  private constructor(options: MailboxOptions) {
    this.options = options;
  }

  /** Reads what is there. Mails that were not accepted, and files of others, are no part of it. */
  static async open(options: MailboxOptions): Promise<Mailbox> {
    const mailbox = new Mailbox(options);
    await rm(mailbox.path('incoming'), { recursive: true, force: true });
    for (const folder of ['incoming', 'mails'])
      mkdirSync(mailbox.path(folder), { recursive: true, mode: 0o700 });
    const state = await readJson<{ dropped?: number }>(mailbox.path('state.json'));
    mailbox.droppedCount = state?.dropped ?? 0;
    const files = (await readdir(mailbox.path('mails'))).sort();
    for (const name of files) if (ENTRY_NAME.test(name)) await mailbox.load(name.slice(0, -EXTENSION.length));
    for (const name of files)
      if (NOTES_NAME.test(name) && !files.includes(name.replace(NOTES_NAME, `$1${EXTENSION}`)))
        await rm(mailbox.path(join('mails', name)), { force: true });
    await mailbox.trim();
    return mailbox;
  }

  get count(): number {
    return this.entries.size;
  }
  get unread(): number {
    let unread = 0;
    for (const { mail } of this.entries.values()) if (!mail.isRead) unread += 1;
    return unread;
  }
  /** Of all mails that are kept. */
  get bytes(): number {
    return this.totalBytes;
  }
  /** How many of the oldest had to go. */
  get dropped(): number {
    return this.droppedCount;
  }

  /** Newest first. */
  list(): StoredMail[] {
    return [...this.entries.values()].map(({ mail }) => mail).reverse();
  }

  /** @throws TailraceError `not_found` */
  get(id: string): StoredMail {
    return this.require(id).mail;
  }

  /** Where a mail is, from `offset` on. @throws TailraceError `not_found` */
  file(id: string): { readonly path: string; readonly offset: number } {
    return { path: this.mailPath(id), offset: this.require(id).offset };
  }

  /**
   * Keeps a mail: it is on disk when this resolves.
   * @param chunks read to their end in any case
   * @throws TailraceError `too_large`; errors of the file system
   */
  async add(envelope: MailEnvelope, chunks: AsyncIterable<Buffer>): Promise<StoredMail> {
    const token = randomBytes(4).toString('hex');
    const incoming = this.path(join('incoming', token));
    const receivedMs = Date.now();
    const fileHead = Buffer.from(`${JSON.stringify({ envelope, receivedMs } satisfies FileHead)}\n`);
    let id = '';
    try {
      const { size, start } = await this.write(incoming, fileHead, chunks);
      const head = await readMailHead(start);
      this.sequence += 1;
      id = `${String(this.sequence).padStart(12, '0')}-${token}`;
      await renameSynced(incoming, this.mailPath(id));
      const mail: StoredMail = { ...head, id, receivedMs, size, envelope, isRead: false };
      this.insert({ mail, offset: fileHead.length });
      this.writeNotes(mail);
      this.options.onEvent({ type: 'added', mail });
      await this.trim();
      return mail;
    } catch (error) {
      await rm(incoming, { force: true });
      // It isn't said to be accepted.
      if (id && !this.entries.has(id)) await rm(this.mailPath(id), { force: true });
      throw error;
    }
  }

  /** @throws TailraceError `not_found` */
  setRead(id: string, isRead: boolean): StoredMail {
    const entry = this.require(id);
    if (entry.mail.isRead !== isRead) {
      entry.mail = { ...entry.mail, isRead };
      this.writeNotes(entry.mail);
      this.options.onEvent({ type: 'changed', mail: entry.mail });
    }
    return entry.mail;
  }

  /** @throws TailraceError `not_found` */
  async delete(id: string): Promise<void> {
    this.require(id);
    await this.remove(id);
    this.options.onEvent({ type: 'deleted', id });
  }

  /** @returns how many there were */
  async deleteAll(): Promise<number> {
    const ids = [...this.entries.keys()];
    for (const id of ids) await this.remove(id);
    this.options.onEvent({ type: 'deleted' });
    return ids.length;
  }

  /** Resolves when all that may be written later is written. */
  close(): Promise<void> {
    return this.writing;
  }

  private async load(id: string): Promise<void> {
    this.sequence = Math.max(this.sequence, Number(id.slice(0, 12)));
    const path = this.mailPath(id);
    try {
      const { size: fileSize, mtimeMs } = await stat(path);
      const notes = await readJson<Notes>(this.notesPath(id));
      let start = await readStart(path, FILE_HEAD_BYTES);
      if (!notes || !start.includes(LINE_FEED))
        start = await readStart(path, FILE_HEAD_BYTES_MAX + MAIL_HEAD_BYTES_MAX);
      const end = start.subarray(0, FILE_HEAD_BYTES_MAX).indexOf(LINE_FEED);
      const fileHead = parseFileHead(start.subarray(0, Math.max(0, end)).toString('utf8'), mtimeMs);
      const offset = end + 1;
      const head = notes ?? { ...(await readMailHead(start.subarray(offset))), isRead: false };
      this.insert({ mail: { ...head, ...fileHead, id, size: fileSize - offset }, offset });
    } catch {
      // Unreadable now: it stays where it is.
    }
  }

  private async write(
    path: string,
    fileHead: Buffer,
    chunks: AsyncIterable<Buffer>,
  ): Promise<{ size: number; start: Buffer }> {
    const { messageBytesMax } = this.options;
    const start: Buffer[] = [];
    let size = 0;
    let failure: unknown;
    const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
      failure = error;
    });
    const append = async (bytes: Buffer): Promise<void> => {
      if (!file || failure) return;
      await writeAll(file, bytes).catch((error: unknown) => {
        failure = error;
      });
    };
    try {
      await append(fileHead);
      // To its end, also when it can't be kept: its sender reads an answer only then.
      for await (const chunk of chunks) {
        if (size < MAIL_HEAD_BYTES_MAX) start.push(chunk);
        size += chunk.length;
        if (size <= messageBytesMax) await append(chunk);
      }
      if (failure) throw failure;
      if (size > messageBytesMax)
        throw new TailraceError(
          'too_large',
          `This mail has ${size} bytes; up to ${messageBytesMax} are taken.`,
        );
    } finally {
      await file?.close();
    }
    return { size, start: Buffer.concat(start) };
  }

  /** At its place: mails that come at the same time may overtake each other. */
  private insert(entry: Entry): void {
    this.totalBytes += entry.mail.size;
    const { id } = entry.mail;
    const later = id < this.newestId ? [...this.entries].filter(([other]) => other > id) : [];
    if (id > this.newestId) this.newestId = id;
    this.entries.set(id, entry);
    for (const [other, moved] of later) {
      this.entries.delete(other);
      this.entries.set(other, moved);
    }
  }

  private async trim(): Promise<void> {
    const { messagesMax, bytesMax } = this.options;
    let dropped = 0;
    while (this.entries.size > messagesMax || (this.totalBytes > bytesMax && this.entries.size > 1)) {
      const [id] = this.entries.keys();
      dropped += 1;
      // Before it is waited for: others may trim meanwhile.
      this.droppedCount += 1;
      await this.remove(id);
      this.options.onEvent({ type: 'deleted', id });
    }
    if (dropped === 0) return;
    this.options.onDropped?.();
    this.writeLater(() => writeJson(this.path('state.json'), { dropped: this.droppedCount }));
  }

  private async remove(id: string): Promise<void> {
    const entry = this.entries.get(id);
    if (!entry) return;
    this.entries.delete(id);
    this.totalBytes -= entry.mail.size;
    await unlink(this.mailPath(id)).catch(() => undefined);
    this.writeLater(() => rm(this.notesPath(id), { force: true }));
  }

  private writeNotes({ id, receivedMs, size, envelope, ...notes }: StoredMail): void {
    this.writeLater(async () => {
      if (this.entries.has(id)) await writeJson(this.notesPath(id), notes satisfies Notes);
    });
  }

  private writeLater(write: () => Promise<void>): void {
    // Without it a mail is unread again, or its header is read again.
    this.writing = this.writing.then(write).catch(() => undefined);
  }

  private require(id: string): Entry {
    const entry = this.entries.get(id);
    if (entry) return entry;
    throw new TailraceError('not_found', 'There is no such mail: it was deleted, or had to go.');
  }

  private path(name: string): string {
    return join(this.options.folder, name);
  }
  private mailPath(id: string): string {
    return this.path(join('mails', `${id}${EXTENSION}`));
  }
  private notesPath(id: string): string {
    return this.path(join('mails', `${id}.json`));
  }
}

function parseFileHead(text: string, mtimeMs: number): FileHead {
  try {
    const { envelope, receivedMs } = JSON.parse(text) as FileHead;
    if (Array.isArray(envelope.to) && typeof receivedMs === 'number') return { envelope, receivedMs };
  } catch {
    // damaged
  }
  return { envelope: { from: '', to: [] }, receivedMs: Math.round(mtimeMs) };
}

async function readStart(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** Of what is made again, or does little harm, when a power cut takes it. */
async function writeJson(path: string, value: object): Promise<void> {
  await replaceFile(path, JSON.stringify(value), { sync: false });
}
