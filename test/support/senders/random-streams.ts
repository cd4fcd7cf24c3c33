/** What senders may send over one connection, made of a seed: mostly common lines, in every form and framing, and some that are odd. */

import { Dice } from '../properties/dice.ts';
import { seededRandom } from '../properties/seeded-random.ts';

export const TOKENS = [
  't.feff49f1-0000-4000-8000-000000000000',
  't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d',
  't.wild',
  't.short',
] as const;
export const UNKNOWN_TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-000000000000';

/** One connection's bytes, as they come. */
export interface RandomStream {
  readonly chunks: readonly Buffer[];
  /** Random numbers for whatever else has to be decided. */
  readonly random: () => number;
}

const NOISE = [...'\0\n\r\t <>[]:"=\\-.+%1059zZtTaü\x7f', '\ufeff', '[tailrace@32473 token="'];

/** The stream of this seed. */
export function randomStream(seed: number): RandomStream {
  const random = seededRandom(seed);
  const dice = new Dice(random);
  const framing = dice.one('counted', 'newlines', 'newlines', 'nuls', 'crlf', 'mixed');
  const form = dice.one('5424', '5424', '3164', '3164', 'mixed');
  const oddness = dice.one(0, 0.05, 0.3);
  const likeBefore = dice.one(0, 0.5, 0.9);
  const frames: Buffer[] = [];
  let before: string | undefined;
  for (let left = 1 + dice.below(16); left > 0; left--) {
    const line: string =
      before !== undefined && dice.chance(likeBefore)
        ? similarLine(dice, before)
        : randomLine(dice, form === 'mixed' ? dice.one('5424', '3164') : form);
    before = line;
    frames.push(frame(dice, mutate(dice, line, oddness), framing));
  }
  const bytes = Buffer.concat(frames);
  const places = Array.from({ length: dice.one(0, 0, 1, 3) }, () => dice.below(bytes.length)).sort(
    (a, b) => a - b,
  );
  return { chunks: [0, ...places].map((from, i) => bytes.subarray(from, places[i])), random };
}

function frame(dice: Dice, line: string, framing: string): Buffer {
  const kind = framing === 'mixed' ? dice.one('counted', 'newlines', 'nuls') : framing;
  if (kind === 'counted') {
    const content = Buffer.from(dice.chance(0.2) ? `${line}\n` : line);
    const wrong = dice.chance(0.03) ? dice.one(-3, -1, 1, 5) : 0;
    return Buffer.concat([Buffer.from(`${Math.max(1, content.length + wrong)} `), content]);
  }
  return Buffer.from(line + (kind === 'nuls' ? '\0' : kind === 'crlf' ? '\r\n' : '\n'));
}

function mutate(dice: Dice, line: string, oddness: number): string {
  if (!dice.chance(oddness)) return line;
  const at = dice.below(Math.min(line.length + 1, 160));
  const noise = NOISE[dice.below(NOISE.length)];
  return line.slice(0, at) + dice.one('', noise, noise) + line.slice(at + dice.one(0, 1, 1, 2));
}

function randomLine(dice: Dice, form: string): string {
  if (dice.chance(0.04))
    return dice.one('', '\tat foo (bar.js:1)', 'no header', '<13>', '<13>no time', '12 monkeys');
  const pri = `<${dice.one('13', '34', '134', '190', '191', '192', '7', '0', '07')}>`;
  const host = dice.one('host', 'web-1.example.com', '10.0.0.7', 'h', ruledHost(dice));
  const message = randomMessage(dice);
  if (form === '5424') {
    const given = dice.chance(0.15) ? dice.one('-', 't.short', 'x'.repeat(dice.one(254, 255, 256))) : host;
    const pid = dice.one(
      '-',
      'web.1',
      '4711',
      'app',
      'cron',
      'p'.repeat(dice.one(100, 127, 128)),
      'feff49f1-0000-4000-8000-000000000000',
    );
    const msgid = dice.one('-', '-', '-', 'ID47', TOKENS[0], 'm'.repeat(32));
    return `${pri}1 ${isoTime(dice)} ${given} ${appName(dice)} ${pid} ${msgid} ${data(dice)} ${message}`;
  }
  const tag = appName(dice);
  const id = dice.one('', '', '[1]', '[4711]', '[007]', '[0]', '[app]', '[a-b]', '[]', '[12345678901]');
  const behind = dice.one(': ', ': ', ': ', ':', ' ', ':  ', ' : ');
  const time = dice.chance(0.25) ? isoTime(dice) : oldTime(dice);
  const named = dice.chance(0.8)
    ? `${dice.chance(0.1) ? dice.one('UTC', 'EST', 'DB1', '2024', 'utc', 'LONDON', '-', 'a/b', 't.short') : host} `
    : '';
  return `${pri}${time} ${named}${tag}${id}${behind}${message}`;
}

/** One with the same header, or nearly: senders repeat theirs. */
function similarLine(dice: Dice, line: string): string {
  const other = withAnotherToken(dice, line.replace(/^<\d+>/, `<${dice.one('13', '190')}>`));
  return other.slice(0, other.length - dice.below(8)) + 'y'.repeat(dice.one(0, 0, 1, 20, 500));
}

/** The first token of a line becomes another one, or something else that is as long. */
function withAnotherToken(dice: Dice, line: string): string {
  const others = [
    TOKENS[0],
    TOKENS[1],
    UNKNOWN_TOKEN,
    TOKENS[0].replace('-', ' '),
    'n'.repeat(TOKENS[0].length),
  ];
  return dice.chance(0.5) ? line.replace(/t\.[0-9a-f]{8}-[-0-9a-f]{27}/, dice.one(...others)) : line;
}

function ruledHost(dice: Dice): string {
  return dice.one('ruled', 'ruled', 'other');
}

function appName(dice: Dice): string {
  return dice.one<string>(
    ...TOKENS,
    ...TOKENS,
    UNKNOWN_TOKEN,
    `${TOKENS[0]}/web.1`,
    `${TOKENS[1]}/-`,
    `${TOKENS[2]}/x`,
    `${TOKENS[0]}/`,
    'nginx',
    'app',
    'cron',
    'CRON',
    'postgres',
    't',
    '/usr/sbin/cron',
    'sshd(pam_unix)',
    'a+b',
    '-',
    'n'.repeat(dice.one(48, 97, 129)),
  );
}

function data(dice: Dice): string {
  const element = `[tailrace@32473 token="${dice.one<string>(...TOKENS, UNKNOWN_TOKEN, 'x', 't.')}"]`;
  return dice.one(
    '-',
    '-',
    '-',
    '[a@1 k="v"]',
    '[a@1 k="\\"]"][b l="ü"]',
    '[a@1]',
    '[info]',
    '',
    element,
    element,
    element,
    `${element}[a@1 k="v"]`,
    `[a@1 k="v"]${element}`,
    `${element}${element}`,
    `${element}[info]`,
    `[a@1 k="${TOKENS[0]}"]`,
  );
}

function randomMessage(dice: Dice): string {
  if (dice.chance(0.7))
    return `${dice.one('GET /', 'é', '', 'a: b', 'level=info')} ${'x'.repeat(dice.below(60))}`;
  return dice.one(
    '',
    ' ',
    'a\nb',
    'a\r',
    'a\0b',
    '\ufeffmark',
    '[tailrace@32473 token="t.short"] m',
    'Jan 01 00:00:00 x y: z',
    '12 <13>',
    TOKENS[0],
    'm'.repeat(dice.one(300, 300, 300, 10_001)),
  );
}

const two = (value: number): string => String(value).padStart(2, '0');

function isoTime(dice: Dice): string {
  if (dice.chance(0.1))
    return dice.one(
      '-',
      '-',
      '-',
      '-',
      '2012-13-10T03:00:48Z',
      '2199-01-01T00:00:00Z',
      '2012-12-10 03:00:48',
      'x',
    );
  const fraction = dice.one('', '.1', '.123', '.123456', '.1234567', '.123456789', '.1234567890');
  return `2026-${two(1 + dice.below(11))}-${two(1 + dice.below(28))}T${two(dice.below(24))}:${two(dice.below(60))}:${two(dice.below(60))}${fraction}${dice.one('Z', '+00:00', '-08:00', '+05:30', '', '+0100')}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function oldTime(dice: Dice): string {
  const month = dice.chance(0.05) ? dice.one('nov', 'NOV', 'Foo') : MONTHS[dice.below(12)];
  const day = 1 + dice.below(31);
  const written = dice.chance(0.1)
    ? dice.one(String(day), two(day), '00', '32')
    : String(day).padStart(2, ' ');
  const clock = `${two(dice.below(dice.chance(0.02) ? 30 : 24))}:${two(dice.below(60))}:${two(dice.below(dice.chance(0.05) ? 62 : 60))}`;
  const more = dice.chance(0.1) ? dice.one('.123', ' 2024', ' UTC', ' +0100', ':', ',5', '  ') : '';
  return `${month} ${written} ${clock}${more}`;
}
