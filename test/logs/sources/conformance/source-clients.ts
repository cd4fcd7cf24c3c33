/** One client for each source, all with the same interface: what the conformance suite runs its cases over. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Client } from 'undici';
import { encodeOtlpLogs } from '../../../../src/logs/sources/formats/otlp-schema.ts';
import { sentenceOf } from '../../../support/senders/body-cases.ts';
import { basicAuth, connectTcp, logplexBody, logplexLine } from '../../../support/senders/send-lines.ts';
import type { Server } from '../../../support/server.ts';

/** A response; undefined where the protocol has none. */
export type SourceResponse =
  | { readonly status: number; readonly text: string; readonly retryAfter: string | undefined }
  | undefined;

/** One connection (of UDP: one socket) to a source. */
export interface SourceClient {
  /** Sends lines of a token, together; resolves when they are written, or with the response. */
  send(token: string, messages: readonly string[]): Promise<SourceResponse>;
  /** Sends something that is none of the source's lines. */
  sendMalformed(token: string): Promise<SourceResponse>;
  close(): void;
}

export interface TestedSource {
  readonly name: string;
  /** Of its counters. */
  readonly protocol: 'tcp' | 'tls' | 'udp' | 'http' | 'otlp';
  /** `response`: 2xx, the lines are stored. `connection`: they were written. `none`: they may be lost on the way. */
  readonly acknowledges: 'response' | 'connection' | 'none';
  /** How malformed input is rejected; undefined where nothing is responded. */
  readonly malformedError?: string;
  connect(server: Server, tlsAuthority: string): Promise<SourceClient>;
}

function streamClient(socket: Socket): SourceClient {
  // A write behind the server's close fails; the case that wants to know has its callback.
  socket.on('error', () => {});
  socket.resume();
  const write = (bytes: Buffer): Promise<undefined> =>
    new Promise((resolve, reject) =>
      socket.write(bytes, (error) => (error ? reject(error) : resolve(undefined))),
    );
  return {
    send: (token, messages) => write(logplexBody(messages, token)),
    sendMalformed: () => write(Buffer.from('this is no syslog\n')),
    close: () => void socket.end(),
  };
}

function datagramClient(port: number): SourceClient {
  const socket = createSocket('udp4');
  const send = (datagram: string): Promise<undefined> =>
    new Promise((resolve, reject) =>
      socket.send(datagram, port, '127.0.0.1', (error) => (error ? reject(error) : resolve(undefined))),
    );
  return {
    async send(token, messages) {
      for (const message of messages) await send(logplexLine(message, token));
      return undefined;
    },
    sendMalformed: () => send('this is no syslog'),
    close: () => void socket.close(),
  };
}

interface HttpFormat {
  readonly path: string;
  readonly type: string;
  readonly malformed: string;
  encode(messages: readonly string[]): Buffer;
}

function httpClient(server: Server, { path, type, malformed, encode }: HttpFormat): SourceClient {
  const client = new Client(server.url);
  const post = async (token: string, body: Buffer): Promise<SourceResponse> => {
    const response = await client.request({
      method: 'POST',
      path,
      headers: { authorization: basicAuth(token), 'content-type': type },
      body,
    });
    const retryAfter = response.headers['retry-after'];
    return {
      status: response.statusCode,
      text: await sentenceOf(response),
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    };
  };
  return {
    send: (token, messages) => post(token, encode(messages)),
    sendMalformed: (token) => post(token, Buffer.from(malformed)),
    close: () => void client.destroy(),
  };
}

const HTTP_FORMATS: readonly (HttpFormat & Pick<TestedSource, 'name' | 'protocol' | 'malformedError'>)[] = [
  {
    name: 'HTTP, application/logplex-1',
    protocol: 'http',
    path: '/logs',
    type: 'application/logplex-1',
    malformed: '12 <190>1 - - x\nabc',
    malformedError: 'Malformed log messages',
    encode: (messages) => logplexBody(messages),
  },
  {
    name: 'HTTP, NDJSON',
    protocol: 'http',
    path: '/logs',
    type: 'application/x-ndjson',
    malformed: '{"msg":"good"}\n{"msg":\n',
    malformedError: 'Bad request: line 2 of the body is not valid JSON.',
    encode: (messages) => Buffer.from(messages.map((msg) => `${JSON.stringify({ msg })}\n`).join('')),
  },
  {
    name: 'HTTP, OTLP',
    protocol: 'otlp',
    path: '/v1/logs',
    type: 'application/x-protobuf',
    malformed: 'this is no protobuf',
    malformedError: 'Bad request: the body is no ExportLogsServiceRequest.',
    encode: (messages) => {
      const logRecords = messages.map((stringValue) => ({ body: { stringValue } }));
      return Buffer.from(encodeOtlpLogs({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }));
    },
  },
];

/** All sources; TLS only `withTls`, when the server has a certificate. */
export function testedSources(withTls: boolean): readonly TestedSource[] {
  const tcp: TestedSource = {
    name: 'syslog over TCP',
    protocol: 'tcp',
    acknowledges: 'connection',
    connect: async (server) => streamClient(await connectTcp(server.syslogPort)),
  };
  const tls: TestedSource = {
    name: 'syslog over TLS',
    protocol: 'tls',
    acknowledges: 'connection',
    connect: (server, tlsAuthority) =>
      new Promise((resolve, reject) => {
        const ca = readFileSync(tlsAuthority);
        const socket = connectTls({ host: '127.0.0.1', port: server.tlsPort, servername: 'localhost', ca });
        socket.once('error', reject);
        socket.once('secureConnect', () => resolve(streamClient(socket)));
      }),
  };
  const udp: TestedSource = {
    name: 'syslog over UDP',
    protocol: 'udp',
    acknowledges: 'none',
    connect: async (server) => datagramClient(server.syslogPort),
  };
  const http = HTTP_FORMATS.map(
    (format): TestedSource => ({
      name: format.name,
      protocol: format.protocol,
      acknowledges: 'response',
      malformedError: format.malformedError,
      connect: async (server) => httpClient(server, format),
    }),
  );
  return [tcp, ...(withTls ? [tls] : []), udp, ...http];
}
