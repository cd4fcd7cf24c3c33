import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAIL_HEAD_BYTES_MAX, readMailHead } from '../../../../src/apps/addon-services/mail/mail-head.ts';
import { mailLine } from '../../../../src/apps/addon-services/mail/mail-line.ts';
import {
  frameDocument,
  wantsRemoteContent,
} from '../../../../src/apps/addon-services/mail/parsing/frame-document.ts';
import { parseRawMail } from '../../../../src/apps/addon-services/mail/parsing/parse-mail.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

const noImage = (): undefined => undefined;

describe('the head of a mail', () => {
  it('is read from its beginning alone, decoded and bounded', async () => {
    const head = await readMailHead(
      Buffer.from(
        [
          'Received: from x',
          ' by y',
          'FROM : =?iso-8859-1?Q?Zo=EB?= <zoe@example.com>',
          'Subject: a',
          '\tb =?utf-8?B?w7w=?=',
          'Subject: another',
          'To: a@example.com, "B, C" <b@example.com>',
          'Content-Type: Multipart/Mixed; boundary=x',
          'Date: Sat, 28 Nov 2026 18:00:12 +0100',
          '',
          'Subject: not this',
        ].join('\r\n'),
      ),
    );
    expect(head).toEqual({
      from: '"Zoë" <zoe@example.com>',
      to: 'a@example.com, "B, C" <b@example.com>',
      cc: '',
      subject: 'a b ü',
      date: '2026-11-28T17:00:12.000Z',
      messageId: '',
      contentType: 'multipart/mixed',
    });
    const long = await readMailHead(
      Buffer.from(`Subject: ${'x'.repeat(MAIL_HEAD_BYTES_MAX)}\r\nFrom: a@b.c\r\n`),
    );
    expect(long.subject.length).toBeLessThanOrEqual(1_001);
    expect(long.from).toBe('');
  });

  it('is something for whatever is sent', async () => {
    const word = fc.constantFrom(
      'From:',
      'Subject:',
      '=?utf-8?Q?',
      '?=',
      '\r\n',
      '\n',
      ' ',
      '\0',
      '<',
      '"',
      ';',
      ',',
      '\u202e',
      'é',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 60 }),
        async (words) => {
          const head = await readMailHead(Buffer.from(words.join('')));
          expect(Object.values(head).every((value) => typeof value === 'string')).toBe(true);
        },
      ),
      { numRuns: propertyRuns(200) },
    );
  });
});

describe('a mail in the stream', () => {
  it('is one bounded line, in which nothing is hidden', () => {
    const line = mailLine({
      id: '000000000001-00000000',
      receivedMs: 0,
      size: 12,
      isRead: false,
      envelope: { from: 'a@b.c\u202e', to: Array.from({ length: 50 }, (_, i) => `${i}@${'x'.repeat(300)}`) },
      from: '',
      to: '',
      cc: '',
      subject: `a "quoted"\r\napp[web.1]: forged\u200b${'s'.repeat(5_000)}`,
      date: '',
      messageId: '',
      contentType: '',
    });
    expect(line).toMatch(
      /^from=<a@b\.c<U\+202E>> to=<0@x+…>,.* \(and 45 more\) subject="a \\"quoted\\"<U\+000D><U\+000A>app/,
    );
    expect(line).toMatch(/…" size=12bytes id=000000000001-00000000$/);
    expect(line.length).toBeLessThan(1_000);
  });
});

describe('the HTML of a mail', () => {
  it('has no tag that loads, runs or leads away', () => {
    const html =
      '<SCRIPT src=x>a</script ><meta\nhttp-equiv=refresh><link/rel=stylesheet><base href=x><iframe srcdoc=y></iframe><form action=x><svg><metadata/></svg><a href="x"><formula>';
    expect(frameDocument(html, noImage)).toContain(
      '<body><x-SCRIPT src=x>a</x-script ><x-meta\nhttp-equiv=refresh><x-link/rel=stylesheet><x-base href=x><x-iframe srcdoc=y></x-iframe><x-form action=x><svg><metadata/></svg><a href="x"><formula></body>',
    );
  });

  it('has its own images, as long as they are not too many', () => {
    const image = { contentType: 'image/png', content: Buffer.alloc(3_000_000) };
    const html =
      '<img src="cid:a@b"><img src=CID:a@b><img src="cid:a@b"><img src="cid:a@b"><img src="cid:none">';
    const document = frameDocument(html, (cid) => (cid === 'a@b' ? image : undefined));
    expect(document.match(/data:image\/png;base64,/g)).toHaveLength(3);
    expect(document).toContain('<img src="cid:a@b"><img src="cid:none">');
    const script = { contentType: 'image/svg+xml', content: Buffer.from('<svg/>') };
    expect(frameDocument('<img src="cid:x">', () => script)).toContain('<img src="cid:x">');
  });

  it('is known to want something from other servers', () => {
    for (const html of [
      '<img src="https://a/b">',
      "<img src = '//a/b'>",
      '<td background=http://a/b>',
      'url( "https://a/b")',
      '@import "https://a"',
    ])
      expect([html, wantsRemoteContent(html)]).toEqual([html, true]);
    for (const html of [
      '<a href="https://a/b">',
      '<img src="cid:a">',
      '<img src="data:image/png;base64,x">',
      '',
    ])
      expect([html, wantsRemoteContent(html)]).toEqual([html, false]);
  });

  it('of a mail with several parts is found, with its links', async () => {
    const { mail } = await parseRawMail(
      Buffer.from(
        'Content-Type: text/html; charset=utf-8\r\n\r\n<a href="https://a.example/?x=1&amp;y=2">a</a> https://b.example/c. javascript:alert(1) http://[bad',
      ),
    );
    expect(mail.html).toContain('<a href=');
    expect(mail.links).toEqual(['https://a.example/?x=1&y=2', 'https://b.example/c.']);
  });
});
