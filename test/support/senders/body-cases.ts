/** Tables of malformed request bodies, each with its expected outcome. */
import { Client, type Dispatcher } from 'undici';
import { expect } from 'vitest';
import { decodeOtlp } from '../../../src/logs/sources/formats/otlp-schema.ts';
import type { App, Server } from '../server.ts';
import { basicAuth } from './send-lines.ts';

/** So many lines are accepted; or the status and the message of the rejection, and no line is accepted. */
export type ExpectedOutcome = number | readonly [status: number, sentence: string];

/** Name, body, expected outcome, additional headers. */
export type BodyCase = readonly [
  name: string,
  body: string | Buffer,
  outcome: ExpectedOutcome,
  headers?: Readonly<Record<string, string>>,
];

/** Sends one body after another over one connection, which has to survive all of them. */
export class BodySender {
  private readonly server: Server;
  private readonly path: string;
  private readonly client: Client;
  readonly app: App;

  constructor(server: Server, app: App, path: string) {
    this.server = server;
    this.app = app;
    this.path = path;
    this.client = new Client(server.url);
  }

  /** Sends a body and checks the response, and how many lines were accepted. */
  async check(
    protocol: 'http' | 'otlp',
    type: string,
    [, body, outcome, headers = {}]: BodyCase,
  ): Promise<void> {
    const before = (await this.server.sourceCounters(protocol)).lines;
    const { statusCode, text } = await this.send(type, body, headers);
    const taken = (await this.server.sourceCounters(protocol)).lines - before;
    if (typeof outcome === 'number') {
      expect({ statusCode, text, taken }).toMatchObject({ taken: outcome });
      expect(statusCode).toBeLessThan(300);
      return;
    }
    const [status, sentence] = outcome;
    expect({ statusCode, text, taken }).toEqual({ statusCode: status, text, taken: 0 });
    expect(text).toBe(sentence);
  }

  async send(
    type: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ statusCode: number; text: string }> {
    const response = await this.client.request({
      method: 'POST',
      path: this.path,
      headers: { authorization: basicAuth(this.app.token), 'content-type': type, ...headers },
      body,
    });
    return { statusCode: response.statusCode, text: await sentenceOf(response) };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** The sentence of a refusal: `/logs` responds in plain text, `/v1/logs` as the request is, all other routes in JSON. */
export async function sentenceOf({ headers, body }: Dispatcher.ResponseData): Promise<string> {
  if (headers['content-type'] === 'application/x-protobuf') {
    const status = decodeOtlp(new Uint8Array(await body.arrayBuffer()), 'Status');
    return (status as { readonly message?: string }).message ?? '';
  }
  const text = await body.text();
  return text.startsWith('{"id"') ? JSON.parse(text).message : text;
}
