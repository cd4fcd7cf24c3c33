/** JSON that somebody else sent, in every reader of it: an object that can't become a text or a number is an object as others. */
import { describe, expect, it } from 'vitest';
import { readAlert } from '../../drains/viewer/alerts/records/read-alert.ts';
import { parsePartnerManifest } from '../../src/apps/host/addons/partner/manifest.ts';
import { readAcceptance } from '../../src/apps/host/addons/partner/partner-answer.ts';
import { parseAppManifest } from '../../src/apps/host/setup/app-manifest.ts';
import { TailraceError } from '../../src/common/errors.ts';
import { scalarNumber, scalarText } from '../../src/common/json-object.ts';
import { elasticsearchFormat } from '../../src/logs/drains/encoders/elasticsearch.ts';
import { otlpFormat } from '../../src/logs/drains/encoders/otlp.ts';
import { parseDrainOptions } from '../../src/logs/drains/options/drain-options.ts';
import { OutletError } from '../../src/logs/drains/outlet.ts';
import { parseValues } from '../../src/logs/sources/bodies/parse-body.ts';

/** `String()`, `Number()` and templates throw for these. */
const FOREIGN: readonly unknown[] = [
  { toString: 1, valueOf: 1 },
  { toString: null },
  [{ toString: 1, valueOf: 1 }],
  [[{ toString: 'x' }]],
];

const shipment = { first: 1, last: 1, count: 1, storedAtMs: 0, slices: [], byteLength: 0 };
const MANIFEST = {
  id: 'errorbucket',
  name: 'Errorbucket',
  api: {
    version: '3',
    config_vars_prefix: 'ERRORBUCKET',
    config_vars: ['ERRORBUCKET_URL'],
    password: 'secret',
    sso_salt: 'salt',
    regions: ['us'],
    requires: ['log_input'],
    production: { base_url: 'https://errorbucket.com/x', sso_url: 'https://errorbucket.com/sso' },
  },
  plans: [{ name: 'basic', description: 'cheap' }],
};
const partner = parsePartnerManifest(MANIFEST, 'production');
const value = (name: string) => ({ [name]: { values: [{ key: 'k', value: { intValue: '1' } }] } });

/** Who reads what: a document in which every value is there that is looked at. */
const READERS: readonly (readonly [name: string, document: unknown, read: (document: unknown) => unknown])[] =
  [
    ...[
      { message: 'm', level: 'info', time: { seconds: 1_700_000_000, nanos: 1 }, hostname: 'h', dyno: 'd' },
      {
        msg: 'm',
        severity: 3,
        instant: { epochSecond: 1_700_000_000, nanoOfSecond: 1 },
        host: { name: 'h' },
      },
      { '@mt': '{User} {Id}', Properties: { User: 'u', Id: 7 }, '@l': 'Error', '@x': 'stack' },
      { SYSLOG_IDENTIFIER: 'x', SYSLOG_PID: '7', MESSAGE: [104, 105], PRIORITY: '3' },
      { short_message: 's', full_message: 's and more', version: '1.1', _id: 7 },
      { t: { $date: { $numberLong: '1700000000000' } }, s: 'E', c: 'NETWORK', msg: 'm', attr: {} },
      { datetime: { date: '2026-01-01 00:00:00', timezone: 'UTC' }, log: { level: 'warn' }, text: 'm' },
      { kubernetes: { pod_name: 'web-1' }, container_name: '/web', jsonPayload: { message: 'm' } },
      { records: [{ message: 'm' }, 'text'], host: 'h' },
    ].map(
      (document, i) =>
        [
          `a line of JSON, ${i}`,
          document,
          (one: unknown) => parseValues({ format: 'json', body: Buffer.from(JSON.stringify(one)) }),
        ] as const,
    ),
    [
      'a request of OTLP',
      {
        resourceLogs: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
            scopeLogs: [
              {
                scope: { name: 'n', version: '1', droppedAttributesCount: 1, attributes: [] },
                logRecords: [
                  {
                    timeUnixNano: '1700000000000000000',
                    observedTimeUnixNano: '1',
                    severityNumber: 9,
                    severityText: 'INFO',
                    body: value('kvlistValue'),
                    attributes: [
                      { key: 'a', value: value('arrayValue') },
                      { key: 'b', value: { bytesValue: 'YQ==' } },
                      { key: 'c', value: { intValue: 7 } },
                    ],
                    droppedAttributesCount: 1,
                    flags: 1,
                    traceId: '5b8efff798038103d269b633813fc60c',
                    spanId: 'eee19b7ec3c1b174',
                    eventName: 'e',
                  },
                ],
              },
            ],
          },
        ],
      },
      (one) =>
        parseValues({
          format: 'otlp-json',
          body: Buffer.from(JSON.stringify(one)),
          source: { source: 'app', keepService: false },
        }),
    ],
    [
      'an answer of a bulk API',
      { errors: true, items: [{ create: { status: 400, error: { type: 'mapper', reason: 'no' } } }] },
      (one) =>
        elasticsearchFormat(() => 'seed', 'app').checkResponse!(Buffer.from(JSON.stringify(one)), shipment),
    ],
    [
      'an answer to OTLP',
      { partialSuccess: { rejectedLogRecords: '1', errorMessage: 'no' } },
      (one) => otlpFormat('app', '1', 'json').checkResponse!(Buffer.from(JSON.stringify(one)), shipment),
    ],
    [
      'an app.json',
      {
        env: { A: 'x', B: { value: 'y', required: true, generator: 'secret', description: 'd' } },
        formation: [{ process: 'web', quantity: 1, size: 'basic' }],
        addons: ['a', { plan: 'b', as: 'C' }],
        scripts: { postdeploy: 'x', 'pr-predestroy': { command: 'y' } },
        environments: { review: {} },
      },
      (one) => parseAppManifest(JSON.stringify(one), 'review'),
    ],
    ['a manifest of a partner', MANIFEST, (one) => parsePartnerManifest(one, 'production')],
    [
      'an answer of a partner',
      { config: { ERRORBUCKET_URL: 'x' }, message: 'hello', log_drain_url: 'https://a.test', error: 'no' },
      (json) => readAcceptance(partner, { status: 201, json }, 'create it'),
    ],
    [
      'a refusal of a partner',
      { message: 'hello', error: 'no' },
      (json) => readAcceptance(partner, { status: 422, json }, 'create it'),
    ],
    [
      'destinations of an alert',
      [
        { kind: 'webhook', form: 'json', url: 'https://a.test/x', id: 'x' },
        { kind: 'email', to: ['a@example.com'] },
        { kind: 'pagerduty', routing_key: 'abcdefgh', url: null },
      ],
      (one) =>
        readAlert(
          { condition: { kind: 'none', minutes: 5 }, destinations: Array.isArray(one) ? one : [one] },
          undefined,
        ),
    ],
    [
      'options of a drain',
      {
        format: 'json',
        level: 'info',
        sample: 0.5,
        match: ['a'],
        redact: 'all',
        headers: { 'X-Name': 'x' },
        sources: ['app'],
      },
      (one) => parseDrainOptions(new URL('https://logs.example.com/'), one),
    ],
  ];

/** The document with another value in each of its places, one after the other. */
function* withOtherValues(document: unknown, other: unknown): Generator<unknown> {
  yield other;
  if (typeof document !== 'object' || document === null) return;
  for (const [key, inner] of Object.entries(document))
    for (const changed of withOtherValues(inner, other)) {
      const copy = Array.isArray(document) ? [...document] : { ...document };
      yield Object.assign(copy, { [key]: changed });
    }
}

describe('somebody else’s JSON', () => {
  it.each(READERS)('%s is read, or refused in a sentence', (_name, document, read) => {
    for (const foreign of FOREIGN)
      for (const changed of withOtherValues(document, foreign))
        try {
          read(changed);
        } catch (error) {
          if (error instanceof TailraceError || error instanceof OutletError) continue;
          expect.fail(`${JSON.stringify(changed)}: ${error}`);
        }
  });
});

it('scalars become texts and numbers, nothing else does', () => {
  expect(['a', '', 7, true].map(scalarText)).toEqual(['a', '', '7', 'true']);
  expect([null, undefined, [], ['a'], {}, ...FOREIGN].map(scalarText).filter(Boolean)).toEqual([]);
  expect([7, '7', '', true].map(scalarNumber)).toEqual([7, 7, 0, 1]);
  expect([[7], {}, null, undefined, 'x', ...FOREIGN].map(scalarNumber).every(Number.isNaN)).toBe(true);
});
