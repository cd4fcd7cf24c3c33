import { describe, expect, it } from 'vitest';
import {
  parseDrainOptions,
  stripOptionParameters,
} from '../../../../src/logs/drains/options/drain-options.ts';
import {
  drainSecrets,
  hideSecrets,
  parseDrainUrl,
  printableReason,
  redactUrl,
  trimDrainUrl,
} from '../../../../src/logs/drains/options/drain-record.ts';
import { processorMs } from '../../../support/processor-time.ts';

describe('a drain’s URL', () => {
  it.each([
    'https://host/path?x=y',
    'http://user:p%40ss@host:8080/',
    'syslog://host:514',
    'syslog://[::1]:514',
    'syslog+tls://host#insecure',
  ])('%s can be drained to', (url) => expect(parseDrainUrl(url).url.href).toBe(url));

  it.each([
    ['syslog://LOGS.Example.com:514', 'logs.example.com'],
    ['syslog+tls://b\u00fccher.example', 'xn--bcher-kva.example'],
    ['https://B\u00dcCHER.example/', 'xn--bcher-kva.example'],
    ['syslog://0x7f000001', '127.0.0.1'],
    ['syslog://2130706433:514', '127.0.0.1'],
    ['syslog://[::FFFF:127.0.0.1]', '::ffff:7f00:1'],
    ['syslog://[2001:DB8:0:0::1]:514', '2001:db8::1'],
    ['syslog://logs.example.', 'logs.example.'],
  ])('%s: its host is %s, whatever its scheme', (url, host) => expect(parseDrainUrl(url).host).toBe(host));

  it.each([
    ['', 'Invalid drain URL'],
    ['syslog://256.1.1.1', 'Invalid drain URL'],
    ['syslog://a%20b', 'Invalid drain URL'],
    ['syslog://[fe80::1%25eth0]', 'Invalid drain URL'],
    ['syslog://host:65536', 'Invalid drain URL'],
    ['syslog://host:0', 'port 0'],
    ['host:514', 'host://'],
    ['/path', 'Invalid drain URL'],
    ['https://', 'Invalid drain URL'],
    ['https://host:99999/', 'Invalid drain URL'],
    ['syslog://', 'names no host'],
    ['syslog:host', 'names no host'],
    ['ftp://host/', "Drains to ftp:// aren't supported"],
    ['file:///etc/passwd', "Drains to file:// aren't supported"],
    ['http://us%zzer:secret@host/', 'Invalid drain URL'],
    ['https://user:se%cret@host/', 'Invalid drain URL'],
    // Both together would be a character.
    ['https://user%C3:%A9@host/', 'Invalid drain URL'],
  ])('%j: %s', (url, why) => {
    expect(() => parseDrainUrl(url)).toThrow(why);
    expect(() => parseDrainUrl(url)).not.toThrow('secret');
  });

  it.each([
    ['https://user:secret@host/path', 'https://user:****@host/path'],
    ['https://:secret@host/', 'https://:****@host/'],
    ['https://host/path', 'https://host/path'],
    ['https://host/a:b@c', 'https://host/a:b@c'],
    ['https://token@host/', 'https://****@host/'],
    ['https://host/v1?dd-api-key=secret&a=b#x', 'https://host/v1?dd-api-key=****&a=b#x'],
    ['https://a@b:secret@h/', 'https://a@b:****@h/'],
    ['no url http://u:p@h and https://v:q@i', 'no url http://u:****@h and https://v:****@i'],
    ['https://h/?next=http://u:p@h/', 'https://h/?next=http://u:****@h/'],
    ['https://h/?a?token=x&b=1', 'https://h/?a?token=****&b=1'],
    ['https://h/?api_key=x?y&TOKEN=z#f', 'https://h/?api_key=****&TOKEN=****#f'],
  ])('%s is printed as %s', (url, shown) => expect(redactUrl(url)).toBe(shown));

  it('is kept without white space around it, and refused with what nobody sees in it', () => {
    expect(trimDrainUrl(' https://h/a b\n')).toBe('https://h/a b');
    for (const url of ['https://h/\n?x', 'https://h/\x1b[31m', 'https://h/\u202e', 'https://h/\u2028x'])
      expect(() => trimDrainUrl(url)).toThrow('no line breaks, control or invisible characters');
  });

  it('has its options taken out of the address; what is left stays as it is written', () => {
    const url = new URL('https://h/?sig=a%2Bb/c==&tailrace-format=json&flag&x=%20&tailrace%2Dsources=a#f');
    expect(stripOptionParameters(url).href).toBe('https://h/?sig=a%2Bb/c==&flag&x=%20#f');
    expect(stripOptionParameters(new URL('https://h/?tailrace-level=warn')).href).toBe('https://h/');
  });

  it('may name an option several times, where it is a list, and all redactions together', () => {
    const options = (query: string) => parseDrainOptions(new URL(`https://h/?${query}`), undefined);
    expect(options('tailrace-sources=app,nginx&tailrace-sources=heroku')).toEqual({
      sources: ['app', 'nginx', 'heroku'],
    });
    expect(options('tailrace-redact=all')).toEqual({ redact: ['bearer', 'url-password', 'card', 'email'] });
    expect(() => options('tailrace-format=json&tailrace-format=otlp')).toThrow(/^format is one of /);
  });
});

it('a text of its destination’s is shown without the secrets of a drain', () => {
  const secrets = drainSecrets({
    url: 'https://user:p%40ssword@h/?api_key=k1/k2&a=bcde',
    options: { headers: { Authorization: 'Splunk 1234-5678', 'X-Org': 'o' } },
  });
  const shown = (text: string): string => hideSecrets(text, secrets);
  expect(shown('p@ssword, p%40ssword, k1/k2 and k1%2Fk2 of user')).toBe('****, ****, **** and **** of user');
  expect(shown('the token 1234-5678 is none, Splunk 1234-5678')).toBe('the token **** is none, ****');
  expect(shown(`Authorization: Basic ${Buffer.from('user:p@ssword').toString('base64')}`)).toBe(
    'Authorization: Basic ****',
  );
  expect(shown('bcde for o at https://u:p@other/?token=x')).toBe(
    'bcde for o at https://u:****@other/?token=****',
  );
});

it('what a destination says is one line that can be printed, and that isn’t long', () => {
  expect(printableReason(' no \x1b]0;x\x07\x1b[2J\r\nError L10 fake\u202e\u2028é ')).toBe(
    'no ]0;x [2J Error L10 fake é',
  );
  const long = printableReason(`${'x'.repeat(499)}😀${'y'.repeat(9_000)}`);
  expect(long).toBe(`${'x'.repeat(499)}…`);
  // Hidden before it is cut.
  expect(printableReason(`${'x'.repeat(495)}hunter22`, ['hunter22'])).toBe(`${'x'.repeat(495)}****`);
});

describe('an address without end', () => {
  it.each([
    ['colons', '://', ':'],
    ['question marks', 'https://h/', '?'],
    ['names', 'https://h/?', 'key'],
    ['beginnings', '', '://'],
    ['users', '://', 'u@'],
  ])('of %s is printed in time that is linear in it', (_name, start, unit) => {
    const text = start + unit.repeat(100_000);
    let printed = '';
    // Milliseconds; minutes if it weren't.
    const ms = processorMs(() => {
      printed = redactUrl(text);
    });
    expect(ms).toBeLessThan(1_000);
    expect(printed.length).toBeLessThanOrEqual(text.length + 10);
  });

  it('is refused before it is looked at', () =>
    expect(() => parseDrainUrl(`https://h/${':'.repeat(90_000)}`)).toThrow(
      'A drain URL may have 8192 characters at the most.',
    ));
});
