/** E-mail add-ons on a real server: real clients, limits, hostile mails, `kill -9`. */
import { readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { LOCAL_PLAN } from '../../../../src/apps/host/addons/catalog/catalog-entry.ts';
import { mailService } from '../../../../src/apps/host/addons/services/mail.ts';
import {
  apiOf,
  createMailAddon,
  type ListedMail,
  type MailAddon,
  mailVars,
  sendRaw,
  transportTo,
} from '../../../support/addons/mail-addon.ts';
import { freePort } from '../../../support/free-port.ts';
import { missing, Program, TAILRACE } from '../../../support/program.ts';
import { type App, dataFolderForTest, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

interface OpenedMail extends ListedMail {
  readonly text: string;
  readonly html: string | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly attachments: readonly {
    number: number;
    name: string;
    type: string;
    size: number;
    inline: boolean;
  }[];
  readonly links: readonly string[];
  readonly problem: string | null;
}

/** The service's own program. */
const SERVICE = join(TAILRACE, '..', 'addon-mail.js');
const PYTHON = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'mail', 'send.py');

let server: Server;
let app: App;
let addon: MailAddon;

const api = () => apiOf(server, addon);
const withSubject = async (subject: string): Promise<ListedMail[]> =>
  (await api().list()).filter((mail) => mail.subject === subject);
const only = async (subject: string): Promise<ListedMail> => {
  const found = await withSubject(subject);
  expect(found).toHaveLength(1);
  return found[0];
};
const opened = async (subject: string): Promise<OpenedMail> =>
  api().get<OpenedMail>(`messages/${(await only(subject)).id}`);
const streamLine = (text: string): Promise<string> =>
  until(`a line with ${text}`, async () => (await server.readLines(app)).find((line) => line.includes(text)));

/** SMTP by hand: the answers to these commands, once each was given. */
function talk(port: number, commands: readonly (string | Buffer)[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const answers: string[] = [];
    const left = [...commands];
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
      if (!/^\d{3} [^\n]*\n$/m.test(received) || !received.endsWith('\n')) return;
      answers.push(received.trim());
      received = '';
      const next = left.shift();
      if (next === undefined) socket.end();
      else socket.write(next);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answers));
  });
}

const plain = (login: string, password: string): string =>
  `AUTH PLAIN ${Buffer.from(`\0${login}\0${password}`).toString('base64')}\r\n`;

describe.skipIf(missing('openssl', 'python3', 'swaks'))('an e-mail add-on', () => {
  beforeAll(async () => {
    server = await startServer();
    app = await server.createApp();
    addon = await createMailAddon(server, app);
  });
  afterAll(() => server?.close());

  it('takes mails of nodemailer, whose certificate it checks, with each way to log in', async () => {
    const { port, login, password, ca } = addon;
    for (const authMethod of ['PLAIN', 'LOGIN', 'CRAM-MD5']) {
      const transport = createTransport({
        host: 'localhost',
        port,
        requireTLS: true,
        authMethod,
        auth: { user: login, pass: password },
        tls: { ca },
      });
      await transport.sendMail({
        from: '"Zoë" <zoe@example.com>',
        to: ['a@example.com', 'b@example.com'],
        bcc: 'hidden@example.com',
        subject: `nodemailer ${authMethod} ✓`,
        text: 'See https://example.com/a?b=c.',
        html: '<p>See <a href="https://example.com/x?a=1&amp;b=2">this</a></p>',
        attachments: [{ filename: 'ü.txt', content: 'attached' }],
      });
    }
    const mail = await opened('nodemailer CRAM-MD5 ✓');
    expect(mail).toMatchObject({
      from: '"Zoë" <zoe@example.com>',
      to: 'a@example.com, b@example.com',
      envelope: { from: 'zoe@example.com', to: ['a@example.com', 'b@example.com', 'hidden@example.com'] },
      read: false,
      text: expect.stringMatching(/^See https:\/\/example\.com\/a\?b=c\.\n?$/),
      links: ['https://example.com/x?a=1&b=2', 'https://example.com/a?b=c'],
      attachments: [{ number: 0, name: 'ü.txt', type: 'text/plain', size: 8, inline: false }],
      problem: null,
    });
    const line = await streamLine('nodemailer PLAIN');
    expect(line).toContain(
      ' app[mail.1]: from=<zoe@example.com> to=<a@example.com>,<b@example.com>,<hidden@',
    );
    expect(line).toMatch(/ subject="nodemailer PLAIN ✓" size=\d+bytes id=\d{12}-[0-9a-f]{8}$/);
    // Without the authority's certificate nothing is sent.
    const unknowing = createTransport({ host: 'localhost', port, auth: { user: login, pass: password } });
    await expect(unknowing.sendMail({ from: 'a@b.c', to: 'a@b.c', text: '' })).rejects.toThrow(/certificate/);
  });

  it('takes mails of Python’s smtplib and of swaks, with STARTTLS and without', async () => {
    const vars = await server.request<Record<string, string>>('GET', `/apps/${app.name}/config-vars`);
    for (const tls of ['starttls', 'plain']) {
      const python = await new Program('python3', [PYTHON, `python ${tls}`, tls], { env: vars }).exited;
      expect(python).toMatchObject({ status: 0, stderr: '' });
      expect(python.stdout).toMatch(/^PLAIN.*\nLOGIN.*\nCRAM-MD5.*\n$/);
      const mails = await withSubject(`python ${tls}`);
      expect(mails).toHaveLength(3);
      const mail = await api().get<OpenedMail>(`messages/${mails[0].id}`);
      expect(mail).toMatchObject({ text: 'Grüße aus Python\n', problem: null });
      expect(mail.html).toContain('Grüße aus <b>Python</b>');
      expect(mail.attachments).toMatchObject([{ name: 'zählung.csv', type: 'text/csv', size: 4 }]);
    }
    const { port, login, password } = addon;
    const swaks = await new Program('swaks', [
      ...['--server', `localhost:${port}`, '--auth', 'LOGIN', '--auth-user', login],
      ...['--auth-password', password, '--from', 'swaks@example.com', '--to', 'a@example.com'],
      ...['--header', 'Subject: from swaks'],
    ]).exited;
    expect(swaks).toMatchObject({ status: 0 });
    expect(await only('from swaks')).toMatchObject({ from: 'swaks@example.com' });
  });

  it('refuses every login but its own, and mails without one, and says so in the stream', async () => {
    const { port, login, password } = addon;
    const [, , right] = await talk(port, ['EHLO x\r\n', plain(login, password), 'QUIT\r\n']);
    expect(right).toMatch(/^235 /);
    // Postmark has one token for both.
    const [, , token] = await talk(port, ['EHLO x\r\n', plain(login, login), 'QUIT\r\n']);
    expect(token).toMatch(/^235 /);
    for (const [name, secret] of [
      [login, 'wrong'],
      ['app\u202e', password],
      ['', ''],
      [login, ''],
      [`${login}x`, password],
      ['x'.repeat(5_000), 'y'],
    ]) {
      const [, , answer] = await talk(port, ['EHLO x\r\n', plain(name, secret), 'QUIT\r\n']);
      expect(answer).toMatch(/^(535|501) /);
    }
    const [, , unasked] = await talk(port, ['EHLO x\r\n', 'MAIL FROM:<a@example.com>\r\n', 'QUIT\r\n']);
    expect(unasked).toMatch(/^530 /);
    const line = await streamLine('refused a login');
    expect(line).toContain(' app[mail.1]: refused a login with the right name and a wrong password');
    // Neither of its secrets, and nothing of what was tried, unless it is shown whole.
    const lines = (await server.readLines(app)).join('\n');
    for (const secret of [login, password]) expect(lines).not.toContain(secret);
    expect(lines).not.toMatch(/\u202e|x{100}/);
  });

  it('has limits: of recipients, of size, of connections', async () => {
    const { port, login, password } = addon;
    const many = Array.from({ length: 101 }, (_, i) => `RCPT TO:<to-${i}@example.com>\r\n`);
    const start = ['EHLO x\r\n', plain(login, password), 'MAIL FROM:<a@example.com>\r\n'];
    const answers = await talk(port, [...start, ...many, 'QUIT\r\n']);
    expect(answers.at(-3)).toMatch(/^250 /);
    expect(answers.at(-2)).toMatch(/^452 Too many recipients/);
    const [, hello, , sized] = await talk(port, [
      'EHLO x\r\n',
      plain(login, password),
      'MAIL FROM:<a@example.com> SIZE=26000000\r\n',
      'QUIT\r\n',
    ]);
    expect(hello).toContain('SIZE 25000000');
    expect(sized).toMatch(/^552 /);
    // One that didn't say so before.
    const large = `Subject: too large\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(25_100)}`;
    expect(await sendRaw(addon, large)).toMatch(/^552 This mail has 25\d{6} bytes; up to 25000000 are taken/);
    expect(await withSubject('too large')).toEqual([]);
    expect(await sendRaw(addon, 'Subject: after it\r\n\r\nx')).toMatch(/^250 Kept as /);

    const open = Array.from({ length: 101 }, () => connect(port, '127.0.0.1'));
    const greetings = open.map(
      (socket) =>
        new Promise<string>((resolve) => {
          socket.on('error', () => resolve('error')).once('data', (data) => resolve(String(data)));
        }),
    );
    try {
      const said = await Promise.all(greetings);
      expect(said.filter((one) => one.startsWith('220 '))).toHaveLength(100);
      expect(said.filter((one) => one.startsWith('421 '))).toHaveLength(1);
    } finally {
      for (const socket of open) socket.destroy();
    }
    await until('room again', async () =>
      (await talk(port, ['QUIT\r\n']).catch(() => ['']))[0].startsWith('220 '),
    );
  });

  it('keeps nothing of a mail that breaks off in the middle, and no file of it', async () => {
    const { port, login, password } = addon;
    const before = (await api().list()).length;
    const commands = [
      'EHLO x\r\n',
      plain(login, password),
      'MAIL FROM:<breaks-off@example.com>\r\n',
      'RCPT TO:<b@example.com>\r\n',
    ];
    const breakOff = async (): Promise<void> => {
      const socket = connect(port, '127.0.0.1');
      const left = [...commands, 'DATA\r\n', `Subject: broken off\r\n\r\n${'x'.repeat(100_000)}`];
      await new Promise<void>((resolve) => {
        socket.setEncoding('utf8').on('data', (chunk: string) => {
          if (!/^\d{3} [^\n]*\n$/m.test(chunk)) return;
          const next = left.shift() ?? '';
          socket.write(next, () => {
            if (left.length === 0) socket.destroy();
          });
        });
        socket.on('error', () => undefined).on('close', () => resolve());
      });
    };
    await Promise.all(Array.from({ length: 20 }, breakOff));
    const incoming = join(server.data, 'host', 'addons', addon.id, 'incoming');
    await until('no file of them', () => readdirSync(incoming).length === 0);
    await streamLine('a mail from <breaks-off@example.com> was not taken');
    expect(await api().list()).toHaveLength(before);
    expect(await sendRaw(addon, 'Subject: after those\r\n\r\nx\r\n')).toMatch(/^250 /);
  });

  it('shows mails to programs with an API key: lists, finds, marks, gives as they were sent, deletes', async () => {
    const raw =
      'From: "A\u202eB" <a@example.com>\r\nTo: found@example.com\r\nSubject: api one\r\nX-Own: 1\r\n\r\n.dot\r\nend\r\n';
    await sendRaw(addon, raw, ['Found@example.com', 'other@example.com']);
    await sendRaw(addon, 'Subject: api two\r\n\r\nx\r\n');
    const { get, list, fetch: ask } = api();
    expect((await list('q=API')).map(({ subject }) => subject)).toEqual(['api two', 'api one']);
    expect((await list('q=api%20found')).map(({ subject }) => subject)).toEqual(['api one']);
    expect((await list('to=found@EXAMPLE.com')).map(({ subject }) => subject)).toEqual(['api one']);
    expect(await list('q=api&limit=1')).toHaveLength(1);
    expect(await list('q=nothing-like-it')).toEqual([]);
    for (const query of ['limit=0', 'limit=x', 'unread=1', 'nosuch=1', 'q=a&q=b'])
      expect((await ask(`messages?${query}`)).status).toBe(422);

    const { id } = await only('api one');
    const source = await ask(`messages/${id}/raw`);
    expect(await source.text()).toBe(raw);
    expect(source.headers.get('content-type')).toBe('message/rfc822');
    expect(source.headers.get('content-disposition')).toContain(`attachment; filename="${id}.eml"`);
    const change = (body: string) =>
      ask(`messages/${id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body });
    expect((await change('{"read":true}')).status).toBe(200);
    expect((await list('q=api&unread=true')).map(({ subject }) => subject)).toEqual(['api two']);
    for (const body of ['{"read":1}', '{}', 'null', '[]', '{']) {
      const { status } = await change(body);
      expect([400, 422]).toContain(status);
    }
    for (const path of ['messages/none', `messages/${id}/attachments/0`, `messages/${id}/attachments/..%2f0`])
      expect((await ask(path)).status).toBe(404);
    expect((await ask(`messages/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await ask(`messages/${id}`, { method: 'DELETE' })).status).toBe(404);
    await expect(get(`messages/${id}`)).rejects.toThrow(/404 .*There is no such mail/);
    const status = await get<{ messages: number; bytes: number; dropped: number }>('status');
    expect(status).toMatchObject({ messages: (await list()).length, dropped: 0 });
    expect(status.bytes).toBeGreaterThan(0);
    expect(await server.request('GET', `/addons/${addon.id}/details`)).toContainEqual({
      name: 'Messages',
      values: [expect.stringMatching(/^\d+\/1000, \d+ unread$/)],
    });
  });

  it('gives attachments as files, whatever they say that they are', async () => {
    await transportTo(addon).sendMail({
      from: 'a@example.com',
      to: 'b@example.com',
      subject: 'files',
      attachments: [
        { filename: '../../../etc/passwd', content: 'x' },
        { filename: 'page.html', content: '<script>alert(1)</script>', contentType: 'text/html' },
        { filename: 'a".svg', content: '<svg/>', contentType: 'image/svg+xml' },
        { filename: '.htaccess', content: 'x', contentType: 'text/plain' },
        { filename: 'C:\\Windows\\win.ini', content: 'x', contentType: 'image/png' },
        { filename: `${'n'.repeat(900)}\u202egnp.exe`, content: 'x', contentType: 'x/"y' },
      ],
    });
    const { id, attachments } = await opened('files');
    expect(attachments.map(({ name }) => name)).toEqual([
      'passwd',
      'page.html',
      'a_.svg',
      '_htaccess',
      'win.ini',
      expect.stringMatching(/^n{100,192}_gnp\.exe$/),
    ]);
    const types: (string | null)[] = [];
    for (const { number } of attachments) {
      const { headers } = await api().fetch(`messages/${id}/attachments/${number}`);
      types.push(headers.get('content-type'));
      expect(headers.get('content-disposition')).toMatch(
        /^attachment; filename="[\w. -]+"; filename\*=UTF-8''/,
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    }
    expect(new Set(types)).toEqual(
      new Set(['application/octet-stream', 'text/plain; charset=utf-8', 'image/png']),
    );
    const bytes = await (await api().fetch(`messages/${id}/attachments/1`)).text();
    expect(bytes).toBe('<script>alert(1)</script>');
  });

  it('keeps what is hostile as it is, and goes on', async () => {
    const deep = Array.from(
      { length: 5_000 },
      (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
    ).join('');
    const part = '--b\r\nContent-Disposition: attachment; filename=x\r\n\r\nx\r\n';
    const bombs: Record<string, string | Buffer> = {
      'deep nesting': `Subject: deep nesting\r\n${deep}\r\nx`,
      '100000 parts': `Subject: 100000 parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(100_000)}--b--\r\n`,
      'huge headers': `Subject: huge headers\r\nX-A: ${'a'.repeat(2_000_000)}\r\n${'X-B: b\r\n'.repeat(200_000)}\r\nx`,
      'many recipients': `Subject: many recipients\r\nTo: ${'<a@example.com>,'.repeat(100_000)}\r\n\r\nx`,
      'folded header': `Subject: folded header\r\nX: a\r\n${' \r\n'.repeat(200_000)}\r\nx`,
      'no header': `${'('.repeat(100_000)}\r\n`,
      'wrong charset': Buffer.concat([
        Buffer.from(
          'Subject: wrong charset\r\nContent-Type: text/plain; charset=no-such-charset\r\nContent-Transfer-Encoding: base64\r\n\r\n',
        ),
        Buffer.from('!!!! not base64 \xff\xfe\0', 'latin1'),
      ]),
      'utf-7': `Subject: utf-7\r\nContent-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-alert(1)+ADw-/script+AD4-`,
      'unclosed words': `Subject: unclosed words\r\nFrom: ${'=?utf-8?Q?'.repeat(10_000)}\r\n\r\nx`,
      'many images': `Subject: many images\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n${'<img src="cid:x">'.repeat(50_000)}\r\n--b\r\nContent-Type: image/png\r\nContent-Id: <x>\r\n\r\n${'y'.repeat(100_000)}\r\n--b--\r\n`,
      'much html': `Subject: much html\r\nContent-Type: text/html\r\n\r\n${'<div style="a'.repeat(400_000)}`,
      'html links': `Subject: html links\r\nContent-Type: text/html\r\n\r\n${'src=http://'.repeat(200_000)}`,
    };
    for (const [name, raw] of Object.entries(bombs)) {
      expect([name, await sendRaw(addon, raw)]).toEqual([name, expect.stringMatching(/^250 /)]);
      // Others go on meanwhile.
      const mail = name === 'no header' ? (await api().list('limit=1'))[0] : await only(name);
      const seen = api().get<OpenedMail>(`messages/${mail.id}`);
      expect(await sendRaw(addon, `Subject: beside ${name}\r\n\r\nx`)).toMatch(/^250 /);
      const { text, html, problem, headers, attachments, links } = await seen;
      expect(text.length + (html ?? '').length).toBeLessThanOrEqual(4_000_000);
      expect([headers.length <= 1_000, attachments.length <= 1_000, links.length <= 200]).toEqual([
        true,
        true,
        true,
      ]);
      if (problem)
        expect(problem).toMatch(/^This mail can't be taken apart .* look at its source, which is whole\.$/);
      const frame = await api().fetch(`messages/${mail.id}/html`);
      expect([200, 422]).toContain(frame.status);
      expect((await frame.text()).length).toBeLessThan(20_000_000);
      const source = Buffer.from(await (await api().fetch(`messages/${mail.id}/raw`)).arrayBuffer());
      expect(source.length).toBe(mail.size);
      expect(source.includes(Buffer.from(raw).subarray(0, 100))).toBe(true);
    }
    const hidden =
      'Subject: =?utf-8?Q?line=0D=0Aapp[web.1]: forged=E2=80=AE?=\r\nFrom: a@example.com\r\n\r\nx';
    await sendRaw(addon, hidden);
    const line = await streamLine('forged');
    expect(line).toContain('app[mail.1]: ');
    expect(line).not.toMatch(/\u202e/);
    expect((await server.readLines(app)).filter((one) => one.includes('app[web.1]: forged'))).toEqual([line]);
  });

  it('survives what is no SMTP, and mails one after the other on one connection', async () => {
    const { port, login, password } = addon;
    const garbage = [
      Buffer.alloc(3_000_000, 'x'),
      Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 256)),
      Buffer.from('NOOP\r\n'.repeat(50_000)),
      Buffer.from(`EHLO ${'x'.repeat(100_000)}\r\nMAIL FROM:<${'y'.repeat(100_000)}>\r\n`),
      Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
      Buffer.from('AUTH PLAIN\r\n****\r\nAUTH CRAM-MD5\r\n\0\r\nAUTH LOGIN\r\n=\r\n=\r\n'),
      Buffer.from('STARTTLS\r\nnot a client hello\r\n'),
    ];
    for (const bytes of garbage) {
      const socket = connect(port, '127.0.0.1');
      await new Promise<void>((resolve) => {
        socket.on('error', () => undefined).on('close', () => resolve());
        socket.resume();
        socket.end(bytes, () => undefined);
        socket.setTimeout(2_000, () => socket.destroy());
      });
    }
    const pooled = createTransport({
      host: 'localhost',
      port,
      pool: true,
      maxConnections: 1,
      auth: { user: login, pass: password },
      tls: { ca: addon.ca },
    });
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        pooled.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: `pooled ${i}`, text: 'x' }),
      ),
    );
    pooled.close();
    const found = (await api().list('q=pooled')).map(({ subject }) => subject);
    expect(found).toEqual(Array.from({ length: 30 }, (_, i) => `pooled ${29 - i}`));
  });

  it('without TLS by its plan has its mails still, and no certificate', async () => {
    const owner = await server.createApp();
    const box = await createMailAddon(server, owner);
    await sendRaw(box, 'Subject: kept\r\n\r\nx\r\n');
    await server.request('PATCH', `/addons/${box.id}`, { plan: 'no-tls' });
    const { ca, ...same } = await mailVars(server, owner);
    expect([ca, same]).toEqual([undefined, { port: box.port, login: box.login, password: box.password }]);
    const [, hello] = await talk(box.port, ['EHLO x\r\n', 'QUIT\r\n']);
    expect(hello).not.toContain('STARTTLS');
    expect((await apiOf(server, box).list()).map(({ subject }) => subject)).toEqual(['kept']);
    await server.request('PATCH', `/addons/${box.id}`, { plan: 'local' });
    expect((await mailVars(server, owner)).ca).toBe(box.ca);
    await server.request('DELETE', `/apps/${owner.name}`);
  });

  it('has the config vars of the service that was named, and goes with its app', async () => {
    const other = await server.createApp();
    const names: Record<string, string[]> = {
      mailgun: ['SMTP_SERVER', 'SMTP_PORT', 'SMTP_LOGIN', 'SMTP_PASSWORD', 'SMTP_CA_CERT'],
      sendgrid: ['USERNAME', 'PASSWORD', 'SMTP_SERVER', 'SMTP_PORT', 'SMTP_CA_CERT'],
      mailtrap: ['HOST', 'PORT', 'USER', 'PASSWORD', 'CA_CERT'],
      'email:no-tls': ['SMTP_SERVER', 'SMTP_PORT', 'SMTP_LOGIN', 'SMTP_PASSWORD'],
    };
    for (const [typed, vars] of Object.entries(names)) {
      const made = await server.request<{ config_vars: string[] }>('POST', `/apps/${other.name}/addons`, {
        plan: typed,
      });
      const prefix = typed.startsWith('email') ? 'MAIL' : typed.toUpperCase();
      expect([...made.config_vars].sort()).toEqual(vars.map((name) => `${prefix}_${name}`).sort());
    }
    const plainVars = await mailVars(server, other);
    const [, hello] = await talk(plainVars.port, ['EHLO x\r\n', 'QUIT\r\n']);
    expect(hello).toContain('AUTH PLAIN LOGIN CRAM-MD5');
    expect(hello).not.toContain('STARTTLS');
    // Clients that take it whenever it is there, and know no such certificate.
    const { port, login, password } = plainVars;
    const transport = createTransport({ host: 'localhost', port, auth: { user: login, pass: password } });
    await transport.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 'x', text: 'x' });
    const folders = readdirSync(join(server.data, 'host', 'addons'));
    expect(folders).toHaveLength(5);
    await server.request('DELETE', `/apps/${other.name}`);
    await expect(talk(port, [])).rejects.toThrow(/ECONNREFUSED/);
    expect(readdirSync(join(server.data, 'host', 'addons'))).toEqual([addon.id]);
  });
});

describe('a mail that was accepted', () => {
  it('was stored: one that finds no room is to be sent again, and leaves nothing', async () => {
    const folder = dataFolderForTest();
    const [port, pagePort] = [await freePort(), await freePort()];
    const settings = {
      name: 'box',
      port,
      pagePort,
      login: 'a',
      password: 'p',
      loginPassword: 'b',
      hasTls: false,
    };
    writeFileSync(join(folder, 'service.json'), JSON.stringify(settings));
    const service = new Program('bash', ['-c', 'ulimit -f 50 && exec "$0" "$1"', process.execPath, SERVICE], {
      cwd: folder,
    });
    onTestFinished(() => void service.stop('SIGKILL'));
    const send = (raw: string) => sendRaw({ port, login: 'a', password: 'b' }, raw).catch(() => undefined);
    expect(await until('an answer', () => send('Subject: small\r\n\r\nx\r\n'))).toMatch(/^250 /);
    expect(await send(`Subject: large\r\n\r\n${'x'.repeat(200_000)}\r\n`)).toMatch(
      /^452 It could not be stored, try again: EFBIG/,
    );
    expect(await send('Subject: small again\r\n\r\nx\r\n')).toMatch(/^250 /);
    expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
    expect(readdirSync(join(folder, 'mails')).filter((name) => name.endsWith('.eml'))).toHaveLength(2);
    expect(service.stdout).toContain('<4>a mail from <from@example.com> was not taken: EFBIG');
  });

  it('is there once, however often the service is killed with kill -9', async () => {
    const folder = dataFolderForTest();
    const [port, pagePort] = [await freePort(), await freePort()];
    const secrets = { login: 'login', password: 'page', loginPassword: 'secret' };
    const settings = { name: 'box', port, pagePort, ...secrets, hasTls: false };
    writeFileSync(join(folder, 'service.json'), JSON.stringify(settings));
    const start = (): Program => new Program(process.execPath, [SERVICE], { cwd: folder });
    const accepted: string[] = [];
    let sent = 0;
    let isOver = false;
    const sendAll = async (): Promise<void> => {
      while (!isOver) {
        const subject = `mail ${++sent}`;
        // One that was not answered may be there or not; it isn't sent again.
        const answer = await sendRaw(
          { port, login: secrets.login, password: secrets.loginPassword },
          `Subject: ${subject}\r\n\r\n${'x'.repeat(20_000)}\r\n`,
        ).catch(() => '');
        if (answer.startsWith('250 Kept')) accepted.push(subject);
        else await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    let service = start();
    onTestFinished(() => void service.stop('SIGKILL'));
    const sending = [sendAll(), sendAll(), sendAll()];
    for (let round = 1; round <= 5; round++) {
      const before = accepted.length;
      await until('mails that were accepted', () => accepted.length > before + 3);
      await service.stop('SIGKILL');
      service = start();
    }
    const before = accepted.length;
    await until('mails after the last one', () => accepted.length > before);
    isOver = true;
    await Promise.all(sending);
    const response = await fetch(`http://127.0.0.1:${pagePort}/api/messages?limit=1000`, {
      headers: { authorization: `Bearer ${secrets.password}` },
    });
    const { messages } = (await response.json()) as { messages: ListedMail[] };
    const listed = messages.map(({ subject }) => subject);
    expect(new Set(listed).size).toBe(listed.length);
    expect(accepted.filter((subject) => !listed.includes(subject))).toEqual([]);
    expect(listed.length).toBeLessThanOrEqual(sent);
    const instance = { ...settings, id: 'box', number: 1, folder, plan: LOCAL_PLAN };
    const samples = await mailService.samples?.(instance);
    expect(samples).toEqual({
      messages: listed.length,
      unread: listed.length,
      mailbox_size: expect.stringMatching(/^\d+bytes$/),
      dropped: 0,
    });
    expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
    const files = readdirSync(join(folder, 'mails')).filter((name) => name.endsWith('.eml'));
    expect(files).toHaveLength(listed.length);
  });
});
