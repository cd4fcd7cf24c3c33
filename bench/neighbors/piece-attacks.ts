/** Much in small pieces: chunks, header fields, WebSocket fragments, frames of nothing, from some connections or from many. */
import { randomBytes } from 'node:crypto';
import { type Attack, type AttackTarget, flood, httpPort, type RunningAttack } from './attack-tools.ts';

const READ_BYTES = 65_536;
const MANY = 500;

const fill = (unit: string): Buffer => Buffer.from(unit.repeat(Math.ceil(READ_BYTES / unit.length)));
const basic = (token: string): string => `Basic ${Buffer.from(`token:${token}`).toString('base64')}`;
const chunkedPost = (path: string, fields: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: h\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`;
const chunks = { bytes: fill('1\r\nx\r\n'), units: Math.ceil(READ_BYTES / 6), connections: 10 };
const FIELDS = Array.from({ length: 1_900 }, (_, i) => `${i.toString(36)}:1\r\n`).join('');
const WRONG_TOKEN = 't.00000000-0000-4000-8000-000000000000';

const upgrade = ({ loudApp, key }: AttackTarget, more = ''): string =>
  `GET /apps/${loudApp}/tail?lines=0&source=none HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${more}Authorization: Bearer ${key}\r\n\r\n`;

/** A masked frame. @param first FIN, the reserved bits and the opcode */
const webSocketFrame = (first: number, payload: string): string =>
  String.fromCharCode(first, 0x80 | payload.length, 0, 0, 0, 0) + payload;

/** Connections of WebSockets on which a message begins that never ends. */
function fragments(server: AttackTarget, payload: string, fields = '', first = 0x01): RunningAttack {
  const frame = webSocketFrame(0, payload);
  const bytes = Buffer.from(frame.repeat(Math.ceil(READ_BYTES / frame.length)), 'latin1');
  return flood(httpPort(server), {
    first: upgrade(server, fields) + webSocketFrame(first, payload),
    bytes,
    units: Math.ceil(READ_BYTES / frame.length),
    connections: 20,
  });
}

export const PIECE_ATTACKS: readonly Attack[] = [
  {
    name: 'chunks of a byte to POST /logs',
    unit: 'chunks',
    start: async (server) =>
      flood(httpPort(server), {
        ...chunks,
        first: chunkedPost(
          '/logs',
          `Authorization: ${basic(server.loudToken)}\r\nContent-Type: text/plain\r\n`,
        ),
      }),
  },
  {
    name: 'chunks of a byte to POST /logs, with a wrong token',
    unit: 'chunks',
    start: async (server) =>
      flood(httpPort(server), {
        ...chunks,
        first: chunkedPost('/logs', `Authorization: ${basic(WRONG_TOKEN)}\r\nContent-Type: text/plain\r\n`),
      }),
  },
  {
    name: 'chunks of a byte to the API, without a key',
    unit: 'chunks',
    start: async (server) => flood(httpPort(server), { ...chunks, first: chunkedPost('/apps', '') }),
  },
  {
    name: 'chunks of a byte to the HTTP router',
    unit: 'chunks',
    start: async (server) => flood(server.routerPort, { ...chunks, first: chunkedPost('/', '') }),
  },
  {
    name: 'requests of 1,900 header fields to the API',
    unit: 'requests',
    start: async (server) =>
      flood(httpPort(server), {
        bytes: Buffer.from(`GET /apps HTTP/1.1\r\nHost: h\r\n${FIELDS}\r\n`.repeat(4)),
        units: 4,
        connections: 50,
      }),
  },
  {
    name: 'requests of 1,900 header fields to POST /logs',
    unit: 'requests',
    start: async (server) =>
      flood(httpPort(server), {
        bytes: Buffer.from(
          `POST /logs HTTP/1.1\r\nHost: h\r\nAuthorization: ${basic(server.loudToken)}\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n${FIELDS}\r\nx`.repeat(
            4,
          ),
        ),
        units: 4,
        connections: 50,
      }),
  },
  {
    name: 'requests of 1,900 header fields to the HTTP router',
    unit: 'requests',
    start: async (server) =>
      flood(server.routerPort, {
        bytes: Buffer.from(`GET / HTTP/1.1\r\nHost: none.localhost\r\n${FIELDS}\r\n`.repeat(4)),
        units: 4,
        connections: 50,
      }),
  },
  {
    name: 'trailers without end',
    unit: 'fields',
    start: async (server) =>
      flood(httpPort(server), {
        first: `${chunkedPost('/apps', '')}0\r\n`,
        bytes: fill('a: 1\r\n'),
        units: Math.ceil(READ_BYTES / 6),
        connections: 10,
      }),
  },
  {
    name: 'requests without a key from many connections',
    unit: 'requests',
    start: async (server) =>
      flood(httpPort(server), {
        bytes: Buffer.from('GET /apps HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(20)),
        units: 20,
        connections: MANY,
        atOnce: 10,
      }),
  },
  {
    name: 'WebSocket fragments of nothing',
    unit: 'frames',
    start: async (server) => fragments(server, ''),
  },
  {
    name: 'WebSocket fragments of a byte',
    unit: 'frames',
    start: async (server) => fragments(server, 'x'),
  },
  {
    name: 'WebSocket fragments of nothing, compressed',
    unit: 'frames',
    start: async (server) => fragments(server, '', 'Sec-WebSocket-Extensions: permessage-deflate\r\n', 0x41),
  },
  {
    name: 'newlines over syslog',
    unit: 'bytes',
    start: async (server) =>
      flood(server.syslogPort, { first: '<', bytes: fill('\n'), units: READ_BYTES, connections: 10 }),
  },
  {
    name: 'lines of a letter over syslog',
    unit: 'lines',
    start: async (server) =>
      flood(server.syslogPort, { bytes: fill('<\n'), units: READ_BYTES / 2, connections: 10 }),
  },
  {
    name: 'one wrong token over syslog from many connections',
    unit: 'lines',
    start: async (server) =>
      flood(server.syslogPort, {
        bytes: Buffer.from(`<13>1 2026-01-01T00:00:00Z host ${WRONG_TOKEN} web.1 - - a guess\n`.repeat(500)),
        units: 500,
        connections: MANY,
        atOnce: 10,
      }),
  },
  {
    name: 'lines that are hard to read over syslog from many connections',
    unit: 'lines',
    start: async (server) =>
      flood(server.syslogPort, {
        bytes: Buffer.from(
          `<13>Oct 11 22:14:15 2026 host ${server.loudToken}[1]: ${'\u00e4\u0001'.repeat(20)}\n`.repeat(500),
        ),
        units: 500,
        connections: MANY,
        atOnce: 3,
      }),
  },
  {
    name: 'HTTP/2 prefaces',
    unit: 'connections',
    start: async (server) =>
      flood(httpPort(server), {
        bytes: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.repeat(100)),
        units: 100,
        connections: 100,
      }),
  },
];
