import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  Mailbox,
  type MailboxEvent,
  type MailboxOptions,
} from '../../../../src/apps/addon-services/mail/mailbox.ts';

const ENVELOPE = { from: 'a@example.com', to: ['b@example.com'] };

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-mailbox-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function open(folder: string, options: Partial<MailboxOptions> = {}): Promise<Mailbox> {
  const limits = { messagesMax: 5, bytesMax: 10_000, messageBytesMax: 5_000 };
  return Mailbox.open({ folder, ...limits, onEvent: () => undefined, ...options });
}

async function* chunksOf(text: string, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const add = (mailbox: Mailbox, subject: string, body = 'x') =>
  mailbox.add(ENVELOPE, chunksOf(`Subject: ${subject}\r\n\r\n${body}`));
const subjects = (mailbox: Mailbox): string[] => mailbox.list().map(({ subject }) => subject);
const mailFiles = (folder: string): string[] =>
  readdirSync(join(folder, 'mails')).filter((name) => name.endsWith('.eml'));

describe('a mailbox', () => {
  it('keeps mails, newest first, as they are after it was opened again', async () => {
    const folder = folderForTest();
    const events: MailboxEvent[] = [];
    const mailbox = await open(folder, { onEvent: (event) => events.push(event) });
    const first = await add(mailbox, 'one');
    await add(mailbox, '=?utf-8?Q?zw=C3=B6lf?=');
    mailbox.setRead(first.id, true);
    expect(subjects(mailbox)).toEqual(['zwölf', 'one']);
    expect(events.map(({ type }) => type)).toEqual(['added', 'added', 'changed']);
    await mailbox.close();
    const again = await open(folder);
    expect(again.list()).toEqual(mailbox.list());
    expect([again.unread, again.bytes]).toEqual([1, mailbox.bytes]);
    // Without what was noted beside them they are only unread.
    for (const name of readdirSync(join(folder, 'mails')))
      if (name.endsWith('.json')) rmSync(join(folder, 'mails', name));
    expect((await open(folder)).list()).toEqual(mailbox.list().map((mail) => ({ ...mail, isRead: false })));
  });

  it('lets the oldest go when there are too many or they are too large, and counts them', async () => {
    const folder = folderForTest();
    let warnings = 0;
    const onDropped = (): void => {
      warnings++;
    };
    const mailbox = await open(folder, { onDropped });
    for (let i = 1; i <= 7; i++) await add(mailbox, `mail ${i}`);
    expect(subjects(mailbox)).toEqual(['mail 7', 'mail 6', 'mail 5', 'mail 4', 'mail 3']);
    expect([mailbox.dropped, warnings, mailFiles(folder).length]).toEqual([2, 2, 5]);
    for (let i = 8; i <= 10; i++) await add(mailbox, `mail ${i}`, 'x'.repeat(4_000));
    expect(subjects(mailbox)).toEqual(['mail 10', 'mail 9']);
    expect(mailbox.bytes).toBeLessThanOrEqual(10_000);
    expect(mailbox.dropped).toBe(8);
    await mailbox.close();
    const again = await open(folder, { messagesMax: 1 });
    expect([subjects(again), again.dropped]).toEqual([['mail 10'], 9]);
  });

  it('refuses a mail that is too large, reads it to its end, and keeps nothing of it', async () => {
    const folder = folderForTest();
    const mailbox = await open(folder);
    let read = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (; read < 20; read++) yield Buffer.alloc(1_000, 'x');
    }
    await expect(mailbox.add(ENVELOPE, endless())).rejects.toThrow(
      'This mail has 20000 bytes; up to 5000 are taken.',
    );
    expect(read).toBe(20);
    expect([mailbox.count, mailFiles(folder), readdirSync(join(folder, 'incoming'))]).toEqual([0, [], []]);
  });

  it('keeps nothing of a mail that breaks off or can’t be written, and takes the next', async () => {
    const folder = folderForTest();
    const mailbox = await open(folder);
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('Subject: half\r\n');
      throw new Error('closed');
    }
    await expect(mailbox.add(ENVELOPE, broken())).rejects.toThrow('closed');
    rmSync(join(folder, 'incoming'), { recursive: true });
    await expect(add(mailbox, 'nowhere')).rejects.toThrow(/ENOENT/);
    expect([mailbox.count, mailFiles(folder)]).toEqual([0, []]);
    const again = await open(folder);
    await add(again, 'next');
    expect(subjects(again)).toEqual(['next']);
  });

  it('opens whatever a crash has left, and leaves alone what isn’t its own', async () => {
    const folder = folderForTest();
    const mailbox = await open(folder);
    const { id } = await add(mailbox, 'kept');
    await mailbox.close();
    const inMails = (name: string): string => join(folder, 'mails', name);
    writeFileSync(join(folder, 'incoming', 'half'), 'Subject: half');
    writeFileSync(inMails('000000000007-00000000.eml'), 'no line of JSON');
    writeFileSync(inMails('000000000008-00000000.eml'), '');
    writeFileSync(inMails('000000000009-00000000.eml'), '{"envelope":3}\nSubject: odd\r\n\r\nx');
    writeFileSync(inMails('000000000099-00000000.json'), '{}');
    writeFileSync(inMails('notes.txt'), 'mine');
    writeFileSync(inMails(`${id}.json`), '{"from":');
    writeFileSync(join(folder, 'state.json'), 'x');
    const again = await open(folder);
    expect(subjects(again)).toEqual(['odd', '', '', 'kept']);
    expect(again.list()[0].envelope).toEqual({ from: '', to: [] });
    expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
    expect([existsSync(inMails('notes.txt')), existsSync(inMails('000000000099-00000000.json'))]).toEqual([
      true,
      false,
    ]);
    expect((await add(again, 'next')).id).toMatch(/^000000000010-/);
    await again.close();
  });

  it('never gives an id twice, and mails that come at once their order', async () => {
    const folder = folderForTest();
    const mailbox = await open(folder, { messagesMax: 100 });
    await Promise.all(Array.from({ length: 30 }, (_, i) => add(mailbox, `mail ${i}`)));
    const ids = mailbox.list().map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    for (const id of ids) await mailbox.delete(id);
    await expect(mailbox.delete(ids[0])).rejects.toThrow('There is no such mail');
    await mailbox.close();
    expect(readdirSync(join(folder, 'mails'))).toEqual([]);
    const again = await open(folder);
    expect(ids).not.toContain((await add(again, 'new')).id);
    expect(await again.deleteAll()).toBe(1);
    expect([again.count, again.bytes]).toEqual([0, 0]);
    await again.close();
  });
});
