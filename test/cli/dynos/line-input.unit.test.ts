import { describe, expect, it } from 'vitest';
import { LineInput } from '../../../src/cli/dynos/line-input.ts';
import { splitDyno } from '../../../src/cli/dynos/trailing-app.ts';

/** What several pieces of typing come to. */
function type(...pieces: string[]): { echo: string; lines: string; isDetached: boolean } {
  const input = new LineInput();
  return pieces
    .map((piece) => input.type(piece))
    .reduce((all, one) => ({
      echo: all.echo + one.echo,
      lines: all.lines + one.lines,
      isDetached: all.isDetached || one.isDetached,
    }));
}

describe('a line is edited here', () => {
  it.each([
    [['a', 'b', '\r'], 'ab\n', 'ab\n'],
    [['ab\rc'], 'ab\n', 'ab\nc'],
    [['ab', '\x7f', 'c\r'], 'ac\n', 'ab\b \bc\n'],
    [['漢', '\x7f', '\r'], '\n', '漢\b \b\b \b\n'],
    [['\x7f\r'], '\n', '\n'],
    [['abc\x15d\r'], 'd\n', 'abc\b \b\b \b\b \bd\n'],
    [['a\x1b[Ab\x1bOBc\r'], 'abc\n', 'abc\n'],
    [['a\tb\x01\r'], 'a\tb\n', 'a\tb\n'],
    [['a\x04b\r'], 'ab\n', 'ab\n'],
  ])('%j', (pieces, lines, echo) => expect(type(...pieces)).toEqual({ lines, echo, isDetached: false }));

  it.each(['\x1d', 'abc\x1d', '\x03', '\x04', 'a\r\x04'])('%j detaches', (text) =>
    expect(type(text).isDetached).toBe(true),
  );
});

describe('which dyno, and which command', () => {
  it.each<[string[], string | undefined, object]>([
    [[], undefined, { dyno: 'web', command: [] }],
    [['web.1'], undefined, { dyno: 'web.1', command: [] }],
    [['ls', '-l'], undefined, { dyno: 'web', command: ['ls', '-l'] }],
    [['web.2', 'ls', '-l'], undefined, { dyno: 'web.2', command: ['ls', '-l'] }],
    [['web.2', 'ls'], 'worker.1', { dyno: 'worker.1', command: ['web.2', 'ls'] }],
    [['web.1', '-a', 'shop', '--', 'ls', '-a', 'x'], undefined, { app: 'shop', command: ['ls', '-a', 'x'] }],
    [['web.1', '--app=shop', '--no-tty', 'ls'], undefined, { app: 'shop', noTty: true, command: ['ls'] }],
    [['web.1', 'bash', '-a', 'shop'], undefined, { dyno: 'web.1', app: 'shop', command: ['bash'] }],
    [['web.1', '--', 'ls', '-a', 'shop'], undefined, { app: undefined, command: ['ls', '-a', 'shop'] }],
    [['web.1', '-x', 'ls', '--no-tty', '-a', 'shop'], undefined, { noTty: true, command: ['ls'] }],
  ])('%j', (words, named, wanted) => expect(splitDyno(words, named, () => false)).toMatchObject(wanted));
});
