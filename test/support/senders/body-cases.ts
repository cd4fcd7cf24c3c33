/** Tables of request bodies that are not quite right, each with what becomes of it. */
import { Client } from 'undici';
import { expect } from 'vitest';
import type { App, Server } from '../server.ts';
import { basicAuth } from './send-lines.ts';

/** So many lines are taken; or the status and the sentence of the refusal, and nothing is taken. */
export type ExpectedOutcome = number | readonly [status: number, sentence: string];

/** What it is, the body, what becomes of it, headers that are unusual. */
export type BodyCase = readonly [
  name: string,
  body: string | Buffer,
  outcome: ExpectedOutcome,
  headers?: Readonly<Record<string, string>>,
];

/** Sends one body after another, over one connection that has to survive whatever it was. */
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

  /** Sends a body and checks the answer, and how many lines were taken. */
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
    // What `/logs` says is plain words, everywhere else it is JSON.
    expect(text.startsWith('{') ? JSON.parse(text).message : text).toBe(sentence);
  }

  async send(
    type: string,
    body: string | Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ statusCode: number; text: string }> {
    const { statusCode, body: answer } = await this.client.request({
      method: 'POST',
      path: this.path,
      headers: { authorization: basicAuth(this.app.token), 'content-type': type, ...headers },
      body,
    });
    return { statusCode, text: await answer.text() };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
