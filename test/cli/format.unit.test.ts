import { afterEach, describe, expect, it, vi } from 'vitest';
import { formatTable, printResult, printText, printValues } from '../../src/cli/format.ts';

const FOREIGN = 'a\x1b[2J\u202eb\u200b\r';

afterEach(() => vi.restoreAllMocks());

function printed(print: () => void): string {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  print();
  return text;
}

describe('what others have written', () => {
  it('is shown, and not obeyed: in texts, in tables and in JSON', () => {
    expect(printed(() => printText(`${FOREIGN}\nc`))).toBe('a\\x1b[2J\\u202eb\\u200b\\x0d\nc\n');
    expect(printed(() => printResult(false, undefined, () => FOREIGN))).toBe(
      'a\\x1b[2J\\u202eb\\u200b\\x0d\n',
    );
    const json = printed(() => printResult(true, { a: FOREIGN }, () => ''));
    expect(json).toMatch(/^[\x20-\x7e\n]*$/);
    expect(JSON.parse(json)).toEqual({ a: FOREIGN });
  });

  it('stays in its row and column of a table', () => {
    const rows = [
      ['x\ny', 'first'],
      ['\u202ez', 'second\nforged row'],
    ];
    expect(formatTable(rows)).toBe('x\\ny     first\n\\u202ez  second\\nforged row');
  });

  it('is exact for a program that reads a value', () => {
    expect(printed(() => printValues(false, undefined, () => FOREIGN))).toBe(`${FOREIGN}\n`);
  });
});
