/** Bodies of records as senders may post them, made of a seed: mostly common ones, in JSON and OTLP, and some that are odd. */
import { encodeOtlpLogs } from '../../../src/logs/sources/formats/otlp-schema.ts';
import { Dice } from '../properties/dice.ts';
import { seededRandom } from '../properties/seeded-random.ts';

export interface RandomBody {
  readonly format: 'json' | 'ndjson' | 'otlp-json' | 'otlp-protobuf';
  readonly body: Buffer;
  readonly dyno: string | undefined;
  readonly source: { readonly source: string | undefined; readonly keepService: boolean };
}

const NOISE = [
  ...'\0\n\r\t {}[]":,\\-.+0159eEtnfu/ü\x7f=',
  '\ufeff',
  '\ud800',
  '\\u0041',
  '\\ud83d',
  'null',
  ',"msg":"x"',
  '\xff',
];
const KEYS = [
  'time',
  'time',
  'timestamp',
  'ts',
  '@timestamp',
  'level',
  'level',
  'severity',
  'msg',
  'msg',
  'msg',
  'message',
  'log',
  'body',
  'event',
  'hostname',
  'host',
  'dyno',
  'pid',
  'name',
  'v',
  'status',
  'req',
  'err',
  'trace_id',
  'a-b',
  'é',
  'a b',
  'x]',
  'q=',
  '12',
  '__proto__',
  '',
  '@t',
  'date',
  'datetime',
  'Timestamp',
  'eventTime',
  'timeUnixNano',
  '_SOURCE_REALTIME_TIMESTAMP',
  '__REALTIME_TIMESTAMP',
  'log.level',
  'severityText',
  'severity_text',
  'level_name',
  'levelname',
  'loglevel',
  'logLevel',
  'LogLevel',
  'Level',
  'lvl',
  '@l',
  'PRIORITY',
  'severityNumber',
  'severity_number',
  'MESSAGE',
  '@m',
  'RenderedMessage',
  'Message',
  'textPayload',
  'Body',
  'short_message',
  'full_message',
  'version',
  '_extra',
  'jsonPayload',
  '@mt',
  'MessageTemplate',
  '@x',
  'SYSLOG_IDENTIFIER',
  'container_name',
  'kubernetes',
  'SYSLOG_PID',
  '_PID',
  'host.name',
  '_HOSTNAME',
  'logs',
  'events',
  'records',
  'k'.repeat(31),
  'k'.repeat(32),
  'k'.repeat(33),
  'constructor',
  'toString',
  'a_long_key_name_of_20',
  'a_long_kex_name_of_20',
];
const COMMON_KEYS = ['pid', 'name', 'v', 'status', 'req', 'err', 'a-b', 'user', 'durationMs', 'tags', 'url'];

/** The body of this seed. */
export function randomBody(seed: number): RandomBody {
  const dice = new Dice(seededRandom(seed));
  const format = dice.one('json', 'ndjson', 'otlp-json', 'otlp-protobuf');
  const oddness = dice.one(0, 0, 0.05, 0.3);
  const json = new JsonText(dice, oddness);
  const records =
    format === 'json' || format === 'ndjson'
      ? Array.from({ length: dice.one(1, 1, 1, 1, 2, 2, 3, dice.below(12)) }, () => json.record())
      : [];
  let body: Buffer;
  if (format === 'ndjson')
    body = Buffer.from(
      records
        .map((record) => {
          // A byte order mark may begin a line.
          const before = dice.chance(0.02) ? dice.one('\ufeff', '\t\ufeff', ' \ufeff', ' ', '\ufeff\n') : '';
          return before + record + dice.one('\n', '\n', '\n', '\r\n', ' \n\n');
        })
        .join(''),
    );
  else if (format === 'json') body = Buffer.from(json.list(records));
  else if (format === 'otlp-json') body = Buffer.from(json.otlp());
  else body = protobufOf(dice.below(PROTOBUF_BODIES));
  if (dice.chance(0.02)) body = Buffer.concat([Buffer.from('\ufeff'), body]);
  return {
    format,
    body: mutate(dice, body, format === 'otlp-protobuf' ? 0.6 : oddness),
    dyno: dice.one(undefined, undefined, 'web.1', '', 'ü b'),
    source: dice.one(
      { source: 'app', keepService: false },
      { source: 'checkout', keepService: false },
      { source: '*', keepService: true },
    ),
  };
}

/** Changes some bytes, or none. */
function mutate(dice: Dice, body: Buffer, oddness: number): Buffer {
  if (!dice.chance(oddness)) return body;
  const at = dice.below(body.length + 1);
  const noise = dice.chance(0.5) ? Buffer.from(dice.one(...NOISE)) : Buffer.from([dice.below(256)]);
  return Buffer.concat([body.subarray(0, at), noise, body.subarray(at + dice.one(0, 0, 1, 2, 20))]);
}

class JsonText {
  private readonly dice: Dice;
  private readonly oddness: number;

  constructor(dice: Dice, oddness: number) {
    this.dice = dice;
    this.oddness = oddness;
  }

  /** Of a record, and a list of them. */
  record(): string {
    const { dice, oddness } = this;
    if (dice.chance(oddness / 3))
      return dice.one(
        '1',
        '"text"',
        'null',
        '[]',
        '{}',
        '[{"msg":"a"}]',
        'true',
        '{"a":1}',
        '{"message":null}',
      );
    const keys = [
      ...new Set([
        ...this.usualKeys(),
        ...Array.from({ length: dice.below(5) }, () => dice.one(...COMMON_KEYS)),
      ]),
    ];
    for (let more = dice.chance(oddness) ? 1 + dice.below(3) : 0; more > 0; more--)
      keys.splice(dice.below(keys.length + 1), 0, dice.one(...KEYS));
    return this.object(keys.map((key) => [key, this.field(key)]));
  }

  list(records: readonly string[]): string {
    const { dice } = this;
    const listed = `[${this.space()}${records.join(`${this.space()},${this.space()}`)}${this.space()}]`;
    if (records.length === 1 && dice.chance(0.5)) return records[0];
    return dice.one(
      listed,
      listed,
      `{${this.space()}"${dice.one('logs', 'events', 'records', 'lines', 'entries', 'messages', 'others')}":${listed}${this.space()}}`,
      dice.chance(0.3) ? `{"logs":${listed},"host":"shared"}` : listed,
      records.join('\n'),
      dice.chance(this.oddness) ? records.join('') : listed,
      dice.chance(this.oddness) ? `${listed},` : `${listed}\n`,
    );
  }

  otlp(): string {
    const { dice } = this;
    const lists = Array.from({ length: dice.one(1, 1, 1, 1, 1, 2) }, () => {
      const resource = `"resource":{"attributes":[${this.attribute('service.name')}${dice.one('', `,${this.attribute('host.name')}`)}${dice.one('', `,${this.attribute('service.instance.id')}`)}]}`;
      const records = Array.from({ length: dice.one(0, 1, 1, 1, 2, 5) }, () => this.otlpRecord());
      const list = `"logRecords":[${this.space()}${records.join(`${this.space()},`)}${this.space()}]${dice.one('', ',"schemaUrl":"https://x"')}`;
      const scope = dice.chance(this.oddness / 2)
        ? `{${list},"scope":${this.scope()}}`
        : `{${dice.one('', `"scope":${this.scope()},`, '"scope":{"name":"s"},')}${list}}`;
      const scopes = `"scopeLogs":[${dice.one(scope, scope, `${scope},${scope}`, '')}]`;
      return `{${dice.one(`${resource},${scopes}`, `${resource},${scopes}`, scopes, dice.chance(0.3) ? `${scopes},${resource}` : scopes)}}`;
    });
    return `{"resourceLogs":[${lists.join(',')}]}`;
  }

  private scope(): string {
    const { dice } = this;
    return dice.one(
      '{}',
      `{"name":${this.text()},"version":"1.2.0"}`,
      `{"name":"shop.checkout","attributes":[${this.attribute('short_name')},${this.attribute('name')}]}`,
      `{"name":"s","version":${dice.one('""', '7', '"]\\""')},"droppedAttributesCount":${dice.one('0', '2')}}`,
      `{"name":"${'long.'.repeat(dice.one(10, 390, 400, 1_190, 1_300))}"}`,
    );
  }

  private otlpRecord(): string {
    const { dice, oddness } = this;
    const all: [string, string][] = [
      [
        'timeUnixNano',
        dice.one(
          '"1544712660300000000"',
          '"1544712660300000123"',
          '"0"',
          dice.chance(oddness)
            ? dice.one('1544712660300000000', '"12"', '""', 'null', '"99999999999999999999"')
            : '"1544712660300000000"',
        ),
      ],
      [
        'observedTimeUnixNano',
        dice.one('"1544712660300000001"', dice.chance(oddness) ? '0' : '"1544712660300000001"'),
      ],
      [
        'severityNumber',
        dice.one(
          '9',
          '10',
          '0',
          '17',
          '24',
          '21',
          dice.chance(oddness) ? dice.one('"SEVERITY_NUMBER_WARN"', '25', '-1', '1.5', '09') : '1',
        ),
      ],
      ['severityText', dice.one('"INFO"', '"warn"', '"Odd"', '""')],
      ['body', dice.chance(oddness) ? this.anyValue() : `{"stringValue":${this.text()}}`],
      [
        'attributes',
        `[${[...new Set(Array.from({ length: dice.below(4) }, () => dice.one(...COMMON_KEYS)))].map((key) => this.attribute(key)).join(',')}${dice.chance(oddness / 2) ? `,${this.attribute(dice.one(...KEYS))}` : ''}]`,
      ],
      [
        'traceId',
        dice.one(
          '"5b8efff798038103d269b633813fc60c"',
          '""',
          '"00000000000000000000000000000000"',
          dice.chance(oddness) ? '"]\\""' : '"a"',
        ),
      ],
      ['spanId', '"eee19b7ec3c1b174"'],
      ['flags', dice.one('1', '0', '257', '255', dice.chance(oddness) ? dice.one('01', '"1"', '1.5') : '1')],
      ['droppedAttributesCount', dice.one('0', '0', '3')],
      ['eventName', dice.one('"e.v"', '""', dice.chance(oddness) ? '"a b"' : '"x"')],
    ];
    const fields = all.filter(() => dice.chance(0.6));
    if (dice.chance(oddness / 2))
      fields.push(dice.one(['time_unix_nano', '"1"'], ['other', '1'], all[0], all[4], ['trace_id', '"x"'])!);
    if (!fields.some(([name]) => name === 'body') && !dice.chance(oddness)) fields.push(all[4]);
    return this.object(fields);
  }

  private attribute(key: string): string {
    const name = this.dice.chance(this.oddness / 4)
      ? this.dice.one('1', 'null', '"\\u0041"')
      : JSON.stringify(key);
    return this.dice.chance(this.oddness / 4)
      ? `{"value":${this.anyValue()},"key":${name}}`
      : `{"key":${name},"value":${this.anyValue()}}`;
  }

  private anyValue(): string {
    const { dice, oddness } = this;
    return dice.one(
      `{"stringValue":${this.text()}}`,
      `{"stringValue":${this.text()}}`,
      `{"intValue":"${dice.one('5', '0', '-12', '123456789012345', '9007199254740993', dice.chance(oddness) ? dice.one('-0', '01', '1.5', '', 'x') : '7')}"}`,
      `{"intValue":${dice.one('5', '0', '-12')}}`,
      `{"boolValue":${dice.one('true', 'false')}}`,
      `{"doubleValue":${dice.one('1.5', '0.1', '3', dice.chance(oddness) ? dice.one('"NaN"', '1e3', '1e400', '0.30000000000000000004') : '2')}}`,
      dice.chance(oddness)
        ? dice.one(
            '{}',
            'null',
            '"bare"',
            `{"arrayValue":{"values":[{"stringValue":"a"}]}}`,
            `{"kvlistValue":{"values":[]}}`,
            `{"stringValue":"a","intValue":"1"}`,
          )
        : `{"stringValue":"x"}`,
    );
  }

  private usualKeys(): string[] {
    return this.dice.one(
      ['level', 'time', 'pid', 'hostname', 'msg'],
      ['name', 'hostname', 'pid', 'level', 'msg', 'time', 'v'],
      ['timestamp', 'level', 'message'],
      ['log', 'time'],
      ['msg'],
      ['@timestamp', 'severity', 'host', 'dyno', 'event'],
      ['ts', 'level', 'msg', 'body'],
      ['body', 'severity_text', 'severity'],
      ['date', 'log'],
      ['date', 'time', 'log', 'kubernetes', 'container_name'],
      ['timestamp', 'container_name', 'host.name', 'message'],
      ['asctime', 'levelname', 'message'],
      ['@timestamp', 'log.level', '_HOSTNAME', 'text'],
      ['@t', '@m', '@l'],
      ['MESSAGE', 'PRIORITY', '__REALTIME_TIMESTAMP', '_HOSTNAME', 'SYSLOG_IDENTIFIER', '_PID'],
      ['_SOURCE_REALTIME_TIMESTAMP', '__REALTIME_TIMESTAMP', 'SYSLOG_PID', 'SYSLOG_IDENTIFIER', 'MESSAGE'],
      ['t', 's', 'msg'],
    );
  }

  private field(key: string): string {
    const { dice, oddness } = this;
    if (dice.chance(oddness)) return this.value(2);
    switch (key) {
      case 'time':
      case 'timestamp':
      case 'ts':
      case '@timestamp':
      case 'date':
      case '@t':
      case 'asctime':
      case '_SOURCE_REALTIME_TIMESTAMP':
      case '__REALTIME_TIMESTAMP':
        return this.time();
      case 'kubernetes':
        return this.kubernetes();
      case 'PRIORITY':
      case '_PID':
      case 'SYSLOG_PID':
        return dice.one('"6"', '"77"', '5', dice.chance(0.3) ? dice.one('""', '"a"', '"007"', '1.5') : '"3"');
      case 't':
        return dice.one('"x"', '7', '{"$date":"2012-12-10T03:00:48.123Z"}', '{}');
      case 's':
        return dice.one('"W"', '"x"', '1');
      case 'level':
      case 'severity':
      case 'levelname':
      case 'log.level':
      case '@l':
        return dice.one(
          '10',
          '20',
          '30',
          '40',
          '50',
          '60',
          '"info"',
          '"WARN"',
          '"Error"',
          '"critical"',
          '6',
          '3',
          '"silly"',
          '200',
          '500',
          '35',
          dice.chance(0.3) ? dice.one('8', '9', '"30"', '"x"', '-1', '3.5', '1000', '030') : '30',
        );
      case 'host':
      case 'host.name':
      case '_HOSTNAME':
      case 'hostname':
      case 'dyno':
      case 'container_name':
      case 'SYSLOG_IDENTIFIER':
        return dice.one(
          '"web-1"',
          '"h"',
          '""',
          dice.chance(0.1)
            ? dice.one(
                '"a b"',
                '"/web"',
                '"/"',
                '"ü"',
                `"${'h'.repeat(300)}"`,
                'null',
                '{"name":"n"}',
                '"a\\"b"',
              )
            : '"box"',
        );
      case 'msg':
      case 'message':
      case 'log':
      case 'event':
      case 'body':
      case 'text':
      case 'MESSAGE':
      case '@m':
        return dice.chance(0.03) ? dice.one('null', '1', '{"a":1}') : this.text();
      default:
        return this.value(2);
    }
  }

  private kubernetes(): string {
    const { dice, oddness } = this;
    const pod = dice.chance(oddness)
      ? dice.one('null', '1', '"a b"', '""', `"${'p'.repeat(300)}"`, '"a\\"b"', '{"pod_name":"inner"}')
      : '"web-5d7f"';
    const labels = dice.one('{}', '{"pod_name":"label"}', '{"app":"web"}', '["pod_name","x"]', '"pod_name"');
    const fields: [string, string][] = [
      ['labels', labels],
      ['pod_name', pod],
      ['id', '7'],
    ];
    return this.object(fields.filter(() => dice.chance(0.8)));
  }

  private time(): string {
    const { dice } = this;
    if (dice.chance(0.3)) return this.rarerTime();
    const date = `20${dice.one('12', '26', '24')}-${dice.one('02-29', '12-10', '11-30', '01-01', '02-30')}`;
    const clock = `${dice.one('03', '23', '00')}:${dice.one('00', '59')}:${dice.one('48', '00', dice.chance(0.1) ? '60' : '59')}`;
    return dice.one(
      '1355108448123',
      '1700000000123',
      '1355108448',
      '1355108448.123456',
      '1700000000.1',
      '1700000000123.25',
      `"${date}T${clock}${dice.one('', '.1', '.123', '.123456', '.123456789', '.1234567890')}${dice.one('Z', '+01:00', '+0100', '-08:00', '', 'z', ' UTC')}"`,
      `"${date}${dice.one('T', ' ', 't')}${clock}${dice.one('.123', ',123')}Z"`,
      dice.chance(0.3)
        ? dice.one(
            'null',
            '"1355108448"',
            '99',
            '1355108448123456',
            '1.5e12',
            '-1',
            '"x"',
            '99999999999999',
            '2147483647999',
            '100000000',
            '12345678901.5',
            '012345678901',
            '""',
          )
        : '1355108448124',
    );
  }

  /** As programs in C, Go and Python write it, and journald. */
  private rarerTime(): string {
    const { dice } = this;
    const seconds = 1_355_108_400 + dice.below(120);
    const digits = (count: number): string => String(dice.below(10 ** count)).padStart(count, '0');
    const minute = `2012-${dice.one('12-10', '07-10', '03-25', '10-28')}${dice.one(' ', 'T')}0${dice.below(4)}:${digits(1).replace(/[6-9]/, '5')}${dice.below(10)}`;
    const second = `${minute}:${dice.one('00', '59', '07', dice.chance(0.05) ? '60' : '01')}`;
    return dice.one(
      `${seconds}.${digits(dice.one(1, 3, 6, 6, 7, 9))}`,
      `${seconds}.${digits(dice.one(1, 2))}0000`,
      `${seconds}.000000`,
      `"${seconds}${digits(dice.one(6, 6, 9, dice.below(12)))}"`,
      `${seconds}${digits(dice.below(12))}`,
      `"${seconds}.${digits(3)}"`,
      `"${second}${dice.one(',', '.')}${digits(dice.one(1, 3, 3, 6, 9, 10))}"`,
      `"${second}"`,
      `"${second}${dice.one('', ',123', '.123')}${dice.one('Z', ' UTC', '+0100', '+01:00', 'é', '\\u005a')}"`,
      `"${minute}"`,
    );
  }

  private text(): string {
    const { dice, oddness } = this;
    const words = Array.from({ length: dice.below(8) }, () =>
      dice.one(
        'GET',
        '/',
        'a=b',
        '"q"',
        ']',
        '[x]',
        '\\',
        'é',
        '€',
        '😀',
        '\n\tat x',
        'x'.repeat(dice.below(40)),
        't.feff49f1-0000-4000-8000-000000000000',
        '\u001b[31m',
        '\u0000',
        '\u007f',
        '</',
      ),
    );
    const text = JSON.stringify(dice.chance(0.5) ? `plain ${'x'.repeat(dice.below(80))}` : words.join(' '));
    if (dice.chance(0.01)) return JSON.stringify('long ] '.repeat(dice.one(100, 800, 900, 1_500)));
    if (!dice.chance(oddness)) return dice.chance(0.1) ? text.replaceAll('/', '\\/') : text;
    return dice.one(
      `${text.slice(0, -1)}\\u00e9"`,
      `${text.slice(0, -1)}\\u00E9\\uD83D\\ude00"`,
      `${text.slice(0, -1)}\\ud800"`,
      `${text.slice(0, -1)}\\x"`,
      `${text.slice(0, -1)}\\u12"`,
      `${text.slice(0, -1)}\\u0022\\u005d\\u005C\\u20ac"`,
    );
  }

  /** Only what is chosen is made: it may have others in it. */
  private value(depth: number): string {
    const { dice, oddness } = this;
    switch (dice.below(10)) {
      case 0:
      case 1:
        return this.text();
      case 2:
        return String(dice.below(100_000));
      case 3:
        return dice.one(
          '0',
          '-1',
          '1.5',
          '0.000001',
          '123456.789',
          '9007199254740991',
          '8999999999999999',
          '0.1',
          '-0.5',
          '100',
        );
      case 4:
        return dice.chance(oddness + 0.05)
          ? dice.one(
              '-0',
              '1e5',
              '1.50',
              '0.0000001',
              '1E-7',
              '12345678901234567',
              '9999999999999999',
              '0.12345678901234567',
              '01',
              '1.',
              '-',
              '.5',
              '+1',
              'NaN',
              '123456789012345.6',
              '1e400',
              '-2.5E+400',
              '1e-400',
              '4.5e-310',
              '3.141592653589793238',
              '12345678.9012345678',
              '100000000000000000000000',
              '1355108448.1234567891',
              '1.355108448123456789e9',
            )
          : this.decimal();
      case 5:
        return dice.one('true', 'false', 'null');
      case 6:
        return depth > 0
          ? this.object(
              Array.from({ length: dice.below(4) }, (_, i) => [
                dice.one(`k${i}`, `key${i}`, `k ${i}]`, dice.chance(oddness) ? dice.one(...KEYS) : `o${i}`),
                this.value(depth - 1),
              ]),
            )
          : '1';
      case 7:
        return depth > 0
          ? `[${this.space()}${Array.from({ length: dice.below(4) }, () => this.value(depth - 1)).join(`${this.space()},`)}${this.space()}]`
          : '2';
      case 8:
        return dice.chance(oddness / 10) ? `${'['.repeat(120)}${']'.repeat(120)}` : '3';
      default:
        return dice.chance(oddness / 4) ? `${'['.repeat(16)}${']'.repeat(16)}` : '4';
    }
  }

  private decimal(): string {
    const { dice } = this;
    const digits = (count: number): string => String(dice.below(10 ** count)).padStart(count, '0');
    const whole = dice.one('0', String(dice.below(10)), String(dice.below(1e5)), `1${digits(9)}`);
    const fraction = `${digits(dice.below(10))}${digits(dice.below(9))}${dice.one('', '', '0', '000')}`;
    const exponent = dice.chance(0.05) ? dice.one('e5', 'E-3', 'e+2', 'e') : '';
    return `${dice.one('', '', '-')}${whole}${fraction === '' ? '' : `.${fraction}`}${exponent}`;
  }

  private object(fields: readonly (readonly [string, string])[]): string {
    const key = (name: string): string =>
      this.dice.chance(this.oddness / 10)
        ? `"\\u00${name.charCodeAt(0).toString(16).padStart(2, '0')}${JSON.stringify(name.slice(1)).slice(1)}`
        : JSON.stringify(name);
    return `{${this.space()}${fields.map(([name, value]) => `${key(name)}${this.space()}:${this.space()}${value}`).join(`${this.space()},${this.space()}`)}${this.space()}}`;
  }

  private space(): string {
    return this.dice.chance(0.05) ? this.dice.one(' ', '  ', '\t', this.dice.chance(0.2) ? '\n' : ' ') : '';
  }
}

/** Encoding one takes much longer than reading it: so many are made, and changed. */
const PROTOBUF_BODIES = 2_048;
const protobufBodies: (Buffer | undefined)[] = [];

function protobufOf(number: number): Buffer {
  let body = protobufBodies[number];
  if (!body) {
    const dice = new Dice(seededRandom(number));
    body = protobuf(dice, dice.one(0, 0, 0.05, 0.3));
    protobufBodies[number] = body;
  }
  return body;
}

function protobuf(dice: Dice, oddness: number): Buffer {
  const text = (): string =>
    dice.one(
      'plain',
      '',
      'a "q" \\ ]',
      'é€😀',
      'x'.repeat(dice.below(100)),
      '\n\0',
      'long ] '.repeat(dice.chance(0.02) ? 900 : 2),
    );
  const value = (): object =>
    dice.one<object>(
      { stringValue: text() },
      { stringValue: text() },
      {
        intValue: dice.one(
          '5',
          '-12',
          '0',
          '9223372036854775807',
          '-9223372036854775808',
          '123456789012345678',
        ),
      },
      { boolValue: dice.chance(0.5) },
      {
        doubleValue: dice.one(
          1.5,
          0,
          -0,
          0.1,
          3,
          1e21,
          1 / 3,
          123.456,
          -2.25,
          1e-7,
          0.000001,
          999999999.999999,
          Number.NaN,
          Number.POSITIVE_INFINITY,
          dice.random(),
          dice.below(1e6) / 1000,
          2 ** 50,
        ),
      },
      dice.chance(oddness)
        ? dice.one<object>(
            {},
            { arrayValue: { values: [{ stringValue: 'a' }] } },
            { kvlistValue: { values: [{ key: 'k', value: { intValue: 1 } }] } },
            { bytesValue: Buffer.from('ab') },
          )
        : { stringValue: 'b' },
    );
  const attribute = (key: string): object => ({ key, value: value() });
  const record = (): Record<string, unknown> => {
    const keys = new Set(Array.from({ length: dice.below(5) }, () => dice.one(...COMMON_KEYS)));
    if (dice.chance(oddness)) keys.add(dice.one(...KEYS, 'trace_id', 'span_id', 'severity_text'));
    const all: Record<string, unknown> = {
      timeUnixNano: dice.one(
        '1544712660300000000',
        '1544712660300000123',
        '0',
        dice.chance(oddness)
          ? dice.one('12', '18446744073709551615', '154471266030000000')
          : '1544712660300000000',
      ),
      observedTimeUnixNano: '1544712660300000001',
      severityNumber: dice.one(9, 10, 0, 17, 24, dice.chance(oddness) ? dice.one(25, -1, 1_000_000) : 1),
      severityText: dice.one('INFO', 'warn', 'Odd', ''),
      body: dice.chance(oddness) ? value() : { stringValue: text() },
      attributes: [...keys, ...(dice.chance(oddness / 3) ? keys : [])].map(attribute),
      traceId: Buffer.from(
        dice.one('5b8efff798038103d269b633813fc60c', '', '00000000000000000000000000000000'),
        'hex',
      ),
      spanId: Buffer.from('eee19b7ec3c1b174', 'hex'),
      flags: dice.one(0, 1, 1, 0x1ff),
      droppedAttributesCount: dice.one(0, 0, 0, 2),
      eventName: dice.one('e.v', '', dice.chance(oddness) ? 'a b' : 'x'),
    };
    return Object.fromEntries(
      Object.entries(all).filter(([name]) => dice.chance(name === 'body' ? 0.95 : 0.6)),
    );
  };
  const resourceLogs = Array.from({ length: dice.one(1, 1, 2) }, () => ({
    ...(dice.chance(0.8)
      ? {
          resource: {
            attributes: [attribute('service.name'), attribute('host.name'), attribute('k8s.pod.name')].slice(
              dice.below(3),
            ),
          },
        }
      : {}),
    scopeLogs: Array.from({ length: dice.one(1, 1, 2, 0) }, () => ({
      ...(dice.chance(0.7)
        ? {
            scope: dice.one<object>(
              { name: 's' },
              {},
              { name: text(), version: '1.2.0' },
              {
                name: 'shop',
                attributes: [attribute('short_name'), attribute('name')],
                droppedAttributesCount: 2,
              },
              { name: 'long.'.repeat(dice.one(390, 400, 1_190, 1_300)) },
            ),
          }
        : {}),
      logRecords: Array.from({ length: dice.one(0, 1, 2, 6) }, record),
    })),
  }));
  return Buffer.from(encodeOtlpLogs({ resourceLogs }));
}
