/** Short streams of one to four lines, made of a seed: fields that are at their limits, and bytes that mean something, wherever they may stand. */
import { Dice } from '../properties/dice.ts';
import { seededRandom } from '../properties/seeded-random.ts';
import { type RandomStream, TOKENS, UNKNOWN_TOKEN } from './random-streams.ts';

/** Bytes that readers look for; of the last ones a mark, and others beyond ASCII, are made. */
const EDGES = [
  '\0',
  '\n',
  '\r',
  '\t',
  ' ',
  '  ',
  '<',
  '>',
  '-',
  '"',
  '\\',
  ']',
  '[',
  '=',
  ':',
  '.',
  '+',
  '/',
  '0',
  '1',
  '9',
  'Z',
  'T',
  't.',
  '\x7f',
  '\x80',
  '\xbf',
  '\xef',
  '\xef\xbb',
  '\xef\xbb\xbf',
  '\xc3\xbc',
  '\xff',
  '\r\n',
  '<13>',
  '<13>1 ',
  ' - ',
  '"]',
  '\\]',
  '- - - ',
];
/** Where buffers, fields and counts end; each of them, and one more or less. */
const LIMITS = [8, 16, 24, 32, 48, 64, 128, 255, 256, 640, 768, 1_024];
const LARGE_LIMITS = [2_048, 4_096, 9_990, 10_000, 10_240, 65_536];
const PRIORITIES = ['13', '34', '190', '191', '192', '0', '7', '07', '1', '999', ''];
const TIMES = [
  '2026-11-28T12:30:14Z',
  '2026-11-28T12:30:14.123456+00:00',
  '2026-02-29T00:00:00.1-08:00',
  '2026-11-28T12:30:14.123456789Z',
  '2026-11-28T12:30:14.1234567Z',
  '2026-11-28T23:59:60Z',
  '2026-11-28T12:30:14',
  '2026-11-28t12:30:14z',
  '2026-11-28 12:30:14',
  '-',
  '-',
  '2099-01-01T00:00:00Z',
];
const OLD_TIMES = [
  'Nov 28 12:30:14',
  'Nov 28 12:30:14.123',
  'Dec  1 00:00:00',
  'Jan  1 00:00:00',
  'Feb 29 03:04:05',
  'Nov  8 12:30:14',
  'Nov 28 12:30:60',
  'Nov 28 2026 12:30:14',
  '*Nov 28 12:30:14.123 UTC',
  '2026-11-28T12:30:14Z',
  '28 Nov 12:30:14',
];
const HOSTS = ['host', '-', 'ruled', 'h', 't.short', '10.0.0.7', '::1', 'other', 'a:b', 'UTC'];
const NAMES = [
  ...TOKENS,
  ...TOKENS,
  UNKNOWN_TOKEN,
  'nginx',
  'app',
  'cron',
  'postgres',
  '-',
  't',
  `${TOKENS[0]}/web.1`,
  `${TOKENS[1]}/-`,
  `${TOKENS[0]}/`,
  `${TOKENS[0]}x`,
  `T${TOKENS[0].slice(1)}`,
];
const PROCIDS = ['-', 'web.1', '1', 'app', 'feff49f1-0000-4000-8000-000000000000', 'cron', TOKENS[1]];
const MSGIDS = ['-', '-', 'ID47', TOKENS[0], '[a', '[tailrace@32473'];
const IDS = ['', '', '[1]', '[app]', '[]', '[0]', '[12345678901]', '[a]b', '['];
const BEHIND_TAG = [': ', ':', ' ', '', ':  ', ' : ', ':\t', '::'];
const MESSAGES = [
  '',
  ' ',
  'm',
  'hello there',
  '12 <13>1 - x',
  '[a b="c"] m',
  'a\nb',
  '\xef\xbb\xbfm',
  '\xef\xbb\xbf',
  '\tat x',
  '\xc3\xbc',
  TOKENS[0],
  '0 ',
  '5 <13>a',
];

/** The stream of this seed. */
export function shortStream(seed: number): RandomStream {
  const random = seededRandom(seed);
  const maker = new ShortStream(new Dice(random));
  return { chunks: maker.chunks(), random };
}

class ShortStream {
  private readonly dice: Dice;
  private readonly oddness: number;

  constructor(dice: Dice) {
    this.dice = dice;
    this.oddness = [0, 0, 0.2, 0.6][dice.below(4)];
  }

  chunks(): Buffer[] {
    const { dice } = this;
    const framing = dice.below(6);
    let text = '';
    let line = '';
    for (let left = 1 + dice.below(4); left > 0; left--) {
      if (line === '' || dice.chance(0.6)) line = this.line();
      else if (dice.chance(0.3)) line = line.slice(0, line.length - dice.below(6)) + this.pick(MESSAGES);
      text += this.frame(dice.chance(this.oddness) ? this.mutate(line) : line, framing);
    }
    if (dice.chance(this.oddness / 3)) text = this.mutate(text);
    if (dice.chance(0.1)) text = text.slice(0, dice.below(text.length + 1));
    const bytes = Buffer.from(text, 'latin1');
    return this.cut(bytes);
  }

  /** At places of which some are near the ends of lines, or everywhere. */
  private cut(bytes: Buffer): Buffer[] {
    const { dice } = this;
    const kind = dice.below(36);
    if (kind < 14 || bytes.length === 0) return [bytes];
    if (kind === 14 && bytes.length < 200) return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    const places: number[] = [];
    for (let left = 1 + dice.below(3); left > 0; left--) {
      let at = dice.below(bytes.length + 1);
      if (kind < 26) {
        const newline = bytes.indexOf(0x0a, at);
        if (newline !== -1) at = Math.max(0, Math.min(bytes.length, newline + dice.below(4) - 1));
      }
      places.push(at);
    }
    places.sort((a, b) => a - b);
    return [0, ...places].map((from, i) => bytes.subarray(from, places[i]));
  }

  private frame(line: string, framing: number): string {
    const { dice } = this;
    const kind = framing === 5 ? dice.below(4) : framing;
    if (kind === 0) return `${line}\n`;
    if (kind === 1) return `${line}\0`;
    if (kind === 2) return `${line}\r\n`;
    const content = dice.chance(0.2) ? `${line}\n` : line;
    const wrong = dice.chance(0.05) ? dice.below(9) - 4 : 0;
    return `${Math.max(0, content.length + wrong)} ${content}`;
  }

  private line(): string {
    const { dice } = this;
    const kind = dice.below(16);
    if (kind === 0) return this.pick(MESSAGES);
    const pri = `<${dice.chance(0.8) ? '13' : this.pick(PRIORITIES)}>`;
    if (kind < 8)
      return `${pri}1 ${this.often(TIMES)} ${this.field(HOSTS)} ${this.field(NAMES)} ${this.field(PROCIDS)} ${this.field(MSGIDS)} ${this.data()}${dice.chance(0.9) ? ' ' : ''}${this.message()}`;
    const host = dice.chance(0.8) ? `${this.field(HOSTS)} ` : '';
    return `${pri}${this.often(OLD_TIMES)} ${host}${this.field(NAMES)}${this.often(IDS)}${this.often(BEHIND_TAG)}${this.message()}`;
  }

  private data(): string {
    const { dice } = this;
    switch (dice.below(10)) {
      case 0:
        return '[a@1 b="c"]';
      case 1:
        return `[tailrace@32473 token="${this.pick(NAMES)}"]`;
      case 2:
        return `[a@1 b="${this.pick(EDGES)}"]`;
      case 3:
        return `[a@1 b="${'v'.repeat(this.limit())}"]`;
      case 4:
        return `[tailrace@32473 token="${TOKENS[0]}"][a@1 b="\\]" c="\\\\"]`;
      case 5:
        return this.pick(['[]', '[a]', '[a ]', '[a b=c]', '[a b="c"', '[a@1 token="t.short"]', '']);
      default:
        return '-';
    }
  }

  private message(): string {
    const { dice } = this;
    if (dice.chance(0.03)) return 'm'.repeat(this.limit());
    if (dice.chance(0.002)) return 'm'.repeat(this.pick(LARGE_LIMITS) + dice.below(5) - 2);
    return this.pick(MESSAGES) + (dice.chance(0.2) ? this.pick(EDGES) : '');
  }

  /** One of `values`, or now and then so long a one as fields may be. */
  private field(values: readonly string[]): string {
    if (!this.dice.chance(0.04)) return this.pick(values);
    return this.dice.one('x', 'x', 't', '9')[0].repeat(this.limit());
  }

  private limit(): number {
    return this.pick(LIMITS) + this.dice.below(3) - 1;
  }

  /** Most often the first one. */
  private often(values: readonly string[]): string {
    return this.dice.chance(0.5) ? values[0] : this.pick(values);
  }

  private mutate(text: string): string {
    const { dice } = this;
    let changed = text;
    for (let left = 1 + dice.below(2); left > 0; left--) {
      const at = dice.below(Math.min(changed.length + 1, 240));
      const edge = dice.chance(0.8) ? this.pick(EDGES) : String.fromCharCode(dice.below(256));
      changed = changed.slice(0, at) + (dice.chance(0.75) ? edge : '') + changed.slice(at + dice.below(3));
    }
    return changed;
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.dice.below(values.length)];
  }
}
