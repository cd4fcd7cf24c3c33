import { describe, expect, it } from 'vitest';
import { parseDrainUrl, redactUrl } from '../../../../src/logs/drains/options/drain-record.ts';
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
    ['', 'Invalid drain URL'],
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
