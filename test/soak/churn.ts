/** Everything that comes and goes at a server in use: readers, drains that fail and recover, dynos, pushes, config, apps, bad senders. */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { tarMember } from '../apps/build/tar-archive.ts';
import { until } from '../support/until.ts';
import { pause } from '../torture/senders/numbered.ts';
import type { SoakServer } from './soak-server.ts';

/** The app whose dynos and drains come and go. */
const APP = 'soak-dynos';
/** How long one comer stays, at the most. */
const STAY_MS = 4_000;
/** After a change of all dynos the next one comes so much later, at the most. */
const PACE_MS = 15_000;

const FILES = {
  Procfile: 'web: node web.cjs\nworker: while true; do echo tick; sleep 0.2; done\n',
  'web.cjs': `require('http').createServer((q, r) => { console.log(q.url); r.end(process.env.TURN || ''); }).listen(process.env.PORT);\n`,
};

export interface ChurnOptions {
  readonly server: SoakServer;
  readonly random: () => number;
  /** The longest pause of each comer between two times. */
  readonly pauseMaxMs: number;
}

/** A destination that is well, or isn't. */
class FickleSink {
  /** 0: it resets connections; 1: it never answers. */
  status = 200;
  private readonly server = createServer((request, response) => {
    request.resume();
    if (this.status === 0) request.socket.resetAndDestroy();
    else if (this.status > 1) request.on('end', () => response.writeHead(this.status).end());
  });

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export class Churn {
  readonly counts = new Map<string, number>();
  /** What failed that ought to work. */
  readonly failures: string[] = [];
  private readonly server: SoakServer;
  private readonly random: () => number;
  private readonly pauseMaxMs: number;
  private token = '';
  private isRunning = true;
  private loops: readonly Promise<void>[] = [];

  constructor({ server, random, pauseMaxMs }: ChurnOptions) {
    this.server = server;
    this.random = random;
    this.pauseMaxMs = pauseMaxMs;
  }

  /** Everybody comes once, and goes: what is opened once and stays, is open then. */
  async rehearse(): Promise<void> {
    await this.deploy();
    await Promise.all(this.comers().map(([, , come]) => come()));
    await this.server.request('DELETE', `/apps/${APP}`);
  }

  /** Deploys the app, with a web dyno and a worker, and begins. */
  async start(): Promise<void> {
    await this.deploy();
    this.loops = this.comers().map(([name, share, come]) => this.loop(name, share * this.pauseMaxMs, come));
  }

  /** Resolves when everybody is gone, and no dyno runs any more. */
  async stop(): Promise<void> {
    this.isRunning = false;
    await Promise.all(this.loops);
    await this.server.request('DELETE', `/apps/${APP}`);
  }

  private async deploy(): Promise<void> {
    this.token = await this.server.createApp(APP);
    await this.push();
  }

  private comers(): readonly [name: string, pauseShare: number, come: () => Promise<unknown>][] {
    return [
      ['tails', 0.3, () => this.tail()],
      ['tails that don’t read', 1, () => this.deafTail()],
      ['drains', 1, () => this.drain()],
      ['scalings', 1.5, () => this.scale()],
      ['restarts', 2, () => this.restart()],
      ['config changes', 2, () => this.configure()],
      ['one-off dynos', 2, () => this.runOnce()],
      ['pushes', 8, () => this.push()],
      ['apps', 1, () => this.appComesAndGoes()],
      ['searches', 0.5, () => this.search()],
      ['requests to the web dyno', 0.05, () => this.visit()],
      ['bad senders', 0.3, () => this.badSender()],
    ];
  }

  private async loop(name: string, pauseMaxMs: number, come: () => Promise<unknown>): Promise<void> {
    while (this.isRunning) {
      try {
        await come();
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      } catch (error) {
        // The first of each kind say enough.
        const failed = this.failures.filter((one) => one.startsWith(name)).length;
        if (failed < 3) this.failures.push(`${name}: ${error}`);
      }
      const untilMs = performance.now() + (0.2 + 0.8 * this.random()) * pauseMaxMs;
      while (this.isRunning && performance.now() < untilMs)
        await pause(Math.min(200, Math.max(1, untilMs - performance.now())));
    }
  }

  private async stay(): Promise<void> {
    await pause(this.random() * Math.min(STAY_MS, this.pauseMaxMs));
  }

  private tailUrl(rest: string): string {
    return `${this.server.url.replace('http', 'ws')}/apps/${APP}/tail?lines=100${rest}`;
  }

  private async tail(): Promise<void> {
    const { key, url } = this.server;
    if (this.random() < 0.5) {
      const socket = await this.openSocket(this.tailUrl('&format=json'));
      await this.stay();
      if (this.random() < 0.5) socket.close();
      await closed(socket);
      return;
    }
    const abort = new AbortController();
    const response = await fetch(`${url}/apps/${APP}/logs?tail=true&lines=100`, {
      headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' },
      signal: abort.signal,
    });
    const reading = (async () => {
      for await (const _ of response.body as unknown as AsyncIterable<Uint8Array>);
    })().catch(() => {});
    await this.stay();
    abort.abort();
    await reading;
  }

  /** It is of the app that has most lines. */
  private async deafTail(): Promise<void> {
    const socket = await this.openSocket(this.tailUrl('').replace(APP, 'soak-steady'));
    socket.pause();
    await this.stay();
    await closed(socket);
  }

  private async openSocket(url: string): Promise<WebSocket> {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${this.server.key}` } });
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.on('error', () => {});
    socket.on('message', () => {});
    return socket;
  }

  private async drain(): Promise<void> {
    const sink = await new FickleSink().open();
    const path = `/apps/${APP}/log-drains`;
    const { id } = await this.server.request<{ id: string }>('POST', path, { url: sink.url });
    for (const status of [200, [500, 0, 1, 413][Math.floor(this.random() * 4)], 200]) {
      sink.status = status;
      await this.stay();
    }
    await this.server.request('DELETE', `${path}/${id}`);
    await sink.close();
  }

  private scale(): Promise<unknown> {
    const updates = ['web', 'worker'].map((type) => ({ type, quantity: 1 + Math.floor(this.random() * 3) }));
    return this.server.request('PATCH', `/apps/${APP}/formation`, { updates });
  }

  private async restart(): Promise<void> {
    await this.server.request('DELETE', `/apps/${APP}/dynos`);
    await this.dynosAreUp();
  }

  private async configure(): Promise<void> {
    await this.server.request('PATCH', `/apps/${APP}/config-vars`, {
      TURN: this.random() < 0.3 ? null : String(this.random()),
    });
    await this.dynosAreUp();
  }

  /** A pace that a slow machine keeps up with. Somebody else may always be restarting some of them. */
  private async dynosAreUp(): Promise<void> {
    await until(
      'all dynos to be up',
      async () => {
        const dynos = await this.server.request<{ state: string }[]>('GET', `/apps/${APP}/dynos`);
        return dynos.length > 0 && dynos.every(({ state }) => state === 'up');
      },
      PACE_MS,
    ).catch(() => {});
  }

  private async runOnce(): Promise<void> {
    const path = `/apps/${APP}/dynos`;
    const { name } = await this.server.request<{ name: string }>('POST', path, {
      command: 'echo once; sleep 1',
    });
    await until('the one-off dyno to end', async () => {
      const dynos = await this.server.request<{ name: string }[]>('GET', path);
      return dynos.every((dyno) => dyno.name !== name);
    });
  }

  private async push(): Promise<void> {
    const archive = gzipSync(
      Buffer.concat([
        ...Object.entries({ ...FILES, 'turn.txt': String(this.random()) }).map(([path, body]) =>
          tarMember({ path, body }),
        ),
        Buffer.alloc(1_024),
      ]),
    );
    const { source_blob: blob } = await this.server.request<{
      source_blob: { put_url: string; get_url: string };
    }>('POST', '/sources', {});
    const put = await fetch(blob.put_url, { method: 'PUT', body: new Uint8Array(archive) });
    if (!put.ok) throw new Error(`PUT of the source: ${put.status} ${await put.text()}`);
    const { id } = await this.server.request<{ id: string }>('POST', `/apps/${APP}/builds`, {
      source_blob: { url: blob.get_url },
    });
    const status = await until(
      'the build to end',
      async () => {
        const build = await this.server.request<{ status: string }>('GET', `/apps/${APP}/builds/${id}`);
        return build.status !== 'pending' && build.status;
      },
      120_000,
    );
    if (status !== 'succeeded') throw new Error(`the build has ${status}`);
  }

  private async appComesAndGoes(): Promise<void> {
    const name = `soak-${Math.floor(this.random() * 1e9)}`;
    const token = await this.server.createApp(name);
    const response = await fetch(`${this.server.url}/logs`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`token:${token}`)}`, 'content-type': 'text/plain' },
      body: 'one\ntwo\nthree\n',
    });
    if (!response.ok) throw new Error(`POST /logs: ${response.status}`);
    const text = await this.server.request<string>('GET', `/apps/${name}/logs?lines=10`);
    if (!/: one\n.*: two\n.*: three\n/s.test(text)) throw new Error(`the lines of ${name} are ${text}`);
    await this.server.request('DELETE', `/apps/${name}`);
  }

  private search(): Promise<unknown> {
    const app = this.random() < 0.5 ? APP : 'soak-steady';
    return this.server.request('GET', `/apps/${app}/logs?lines=20&q=nothing-like-it&since=1m`);
  }

  /** A dyno that is being replaced may not answer. */
  private async visit(): Promise<void> {
    await fetch(`http://127.0.0.1:${this.server.routerPort}/visit`, {
      headers: { host: `${APP}.localhost` },
    })
      .then((response) => response.text())
      .catch(() => {});
  }

  private async badSender(): Promise<void> {
    const { syslogPort, url } = this.server;
    if (this.random() < 0.5) {
      // A frame that ends in the middle, or is none.
      const socket = connect(syslogPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      socket.write(this.random() < 0.5 ? `900 <190>1 - host ${this.token} a - - half` : 'no frame at all\n');
      await this.stay();
      socket.destroy();
      return;
    }
    const bad: readonly RequestInit[] = [
      { headers: { authorization: `Basic ${btoa('token:t.wrong')}` }, body: 'line' },
      {
        headers: {
          authorization: `Basic ${btoa(`token:${this.token}`)}`,
          'content-type': 'application/json',
        },
        body: '{"a":[',
      },
    ];
    const response = await fetch(`${url}/logs`, { method: 'POST', ...bad[Math.floor(this.random() * 2)] });
    await response.text();
    if (response.status !== 401 && response.status !== 400)
      throw new Error(`it is answered with ${response.status}`);
  }
}

async function closed(socket: WebSocket): Promise<void> {
  socket.resume();
  const gone = new Promise((resolve) => socket.on('close', resolve));
  if (socket.readyState === WebSocket.CLOSED) return;
  if (socket.readyState === WebSocket.OPEN) socket.terminate();
  await gone;
}
