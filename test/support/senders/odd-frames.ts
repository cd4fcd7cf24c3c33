/** Counted frames (RFC 6587) as senders shouldn't write them. */

/** A line, and how it is written. */
export interface OddFrame {
  readonly wire: Buffer;
  /** What has to be found of it, in order: each in a line of its own, or one after the other in one. */
  readonly parts: readonly string[];
}

export interface OddFrameKind {
  readonly name: string;
  /** @param line with a header, given a message; @param message what to say, without umlauts */
  readonly make: (line: (message: string) => string, message: string) => OddFrame;
  /** Its line is found as it is, with its own header. */
  readonly isWhole: boolean;
  /** What is in front of its count is taken for the end of the line before. */
  readonly sticksToTheLineBefore?: boolean;
}

const MARK = '\ufeff';
const GREETING = 'Größe 🙂 “naïve”';

function counted(line: string, more: number): Buffer {
  const bytes = Buffer.from(line);
  return Buffer.concat([Buffer.from(`${bytes.length + more} `), bytes]);
}

const miscounted = (more: number): OddFrameKind => ({
  name: `a count that is ${Math.abs(more)} too ${more > 0 ? 'large' : 'small'}`,
  isWhole: more > 0 || more >= -3,
  make: (line, message) => ({ wire: counted(line(message), more), parts: [message] }),
});

const prefixed = (name: string, prefix: (length: number) => string, isWhole = true): OddFrameKind => ({
  name,
  isWhole,
  make: (line, message) => ({
    wire: Buffer.from(prefix(Buffer.byteLength(line(message))) + line(message)),
    parts: [message],
  }),
});

const sticking = (name: string, prefix: (length: number) => string): OddFrameKind => ({
  ...prefixed(name, prefix, false),
  sticksToTheLineBefore: true,
});

/** Every kind that is known, each as a sender would write it again and again. */
export const ODD_FRAMES: readonly OddFrameKind[] = [
  {
    name: 'no PRI',
    isWhole: false,
    make: (_line, message) => ({ wire: counted(message, 0), parts: [message] }),
  },
  {
    name: 'no PRI, and a count that is too small',
    isWhole: false,
    make: (_line, message) => ({ wire: counted(message, -3), parts: [message] }),
  },
  {
    name: 'no PRI, and a newline in the message',
    isWhole: false,
    make: (_line, message) => ({ wire: counted(`${message}\n\tat it`, 0), parts: [message, 'at it'] }),
  },
  {
    name: 'a byte order mark before the PRI',
    isWhole: true,
    make: (line, message) => ({ wire: counted(MARK + line(message), 0), parts: [message] }),
  },
  {
    name: 'a byte order mark before the PRI that isn’t counted',
    isWhole: true,
    make: (line, message) => ({ wire: counted(MARK + line(message), -3), parts: [message] }),
  },
  {
    name: 'a byte order mark before the count',
    isWhole: true,
    make: (line, message) => ({
      wire: Buffer.concat([Buffer.from(MARK), counted(line(message), 0)]),
      parts: [message],
    }),
  },
  {
    name: 'a count in code points',
    isWhole: true,
    make: (line, message) => {
      const text = line(`${GREETING} ${message} ${GREETING}`);
      return {
        wire: Buffer.from(`${[...text].length} ${text}`),
        parts: [`${GREETING} ${message} ${GREETING}`],
      };
    },
  },
  {
    name: 'a count in code units of UTF-16',
    isWhole: true,
    make: (line, message) => {
      const text = line(`${GREETING} ${message} ${GREETING}`);
      return { wire: Buffer.from(`${text.length} ${text}`), parts: [`${GREETING} ${message} ${GREETING}`] };
    },
  },
  ...[1, 2, 3, 4, 5, 8, 20, 140, -1, -2, -3, -4, -8].map(miscounted),
  prefixed('a count that ends inside of the header', () => '20 '),
  prefixed('a count of one', () => '1 '),
  prefixed('a count of zero', () => '0 '),
  prefixed('a count of 2^31', () => '2147483648 '),
  prefixed('a count of 2^53', () => '9007199254740992 '),
  prefixed('a count over the longest frame', () => '1048577 '),
  prefixed('a count of twenty digits', () => '12345678901234567890 '),
  prefixed('leading zeros', (length) => `000${length} `),
  prefixed('a minus', (length) => `-${length} `),
  prefixed('a plus', (length) => `+${length} `),
  sticking('a hexadecimal count', (length) => `0x${length.toString(16)} `),
  sticking('a fraction', (length) => `${length}.0 `),
  sticking('an exponent', () => '1e3 '),
  prefixed('two spaces behind the count', (length) => `${length}  `),
  prefixed('a tab behind the count', (length) => `${length}\t`),
  prefixed('a space in front of the count', (length) => ` ${length} `),
  prefixed('two counts', (length) => `${length} ${length} `),
  prefixed('a frame of nothing before it', (length) => `0 ${length} `),
  prefixed('a count in full-width digits', () => '３６ '),
  prefixed('no count', () => ''),
  prefixed('no count, behind something else', () => 'something else '),
  {
    name: 'neither count nor PRI',
    isWhole: false,
    make: (_line, message) => ({ wire: Buffer.from(message), parts: [message] }),
  },
  {
    name: 'binary noise',
    isWhole: false,
    make: () => ({ wire: Buffer.from([0xff, 0xfe, 0x80, 0x01, 0x1b, 0x7f]), parts: [] }),
  },
];
