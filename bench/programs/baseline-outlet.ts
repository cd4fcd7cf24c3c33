/**
 * The baseline of the ways out: posts ready-made bodies with undici, one request at a time, or writes them to a socket. It makes
 * nothing; with `compress` each body is compressed before it is sent.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Client } from 'undici';
import type { OutletProtocol } from './outlet-sinks.ts';

export interface BaselineOutletJob {
  readonly protocol: OutletProtocol;
  readonly port: number;
  /** In base64; they are sent in turns. */
  readonly bodies: readonly string[];
  readonly requests: number;
  /** All of what the requests say that they have. */
  readonly lines: number;
  readonly compress: boolean;
  /** Written after the last one over TCP. */
  readonly mark: string;
}

export interface BaselineOutletResult {
  /** Of this process, user and system. */
  readonly cpuSeconds: number;
}

const compress = promisify(gzip);

process.on('message', (job: BaselineOutletJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());

async function run(job: BaselineOutletJob): Promise<BaselineOutletResult> {
  const bodies = job.bodies.map((body) => Buffer.from(body, 'base64'));
  const before = process.cpuUsage();
  await (job.protocol === 'http' || job.protocol === 'https' ? post(job, bodies) : write(job, bodies));
  const { user, system } = process.cpuUsage(before);
  return { cpuSeconds: (user + system) / 1_000_000 };
}

async function post(job: BaselineOutletJob, bodies: readonly Buffer[]): Promise<void> {
  const client = new Client(`${job.protocol}://127.0.0.1:${job.port}`, {
    pipelining: 1,
    connect: { rejectUnauthorized: false },
  });
  const perRequest = Math.ceil(job.lines / job.requests);
  for (let i = 0; i < job.requests; i++) {
    const body = bodies[i % bodies.length];
    const { body: response } = await client.request({
      method: 'POST',
      path: '/',
      headers: {
        'Content-Type': 'application/logplex-1',
        'User-Agent': 'bench',
        'Logplex-Msg-Count': String(perRequest),
      },
      body: job.compress ? await compress(body) : body,
    });
    await response.dump();
  }
  await client.close();
}

async function write(job: BaselineOutletJob, bodies: readonly Buffer[]): Promise<void> {
  const { port } = job;
  const socket: Socket =
    job.protocol === 'tls'
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise((resolve) => socket.once(job.protocol === 'tls' ? 'secureConnect' : 'connect', resolve));
  for (let i = 0; i < job.requests; i++)
    if (!socket.write(bodies[i % bodies.length]) && socket.writableLength > 262_144)
      await new Promise((resolve) => socket.once('drain', resolve));
  await new Promise<void>((resolve) => socket.end(job.mark, resolve));
}
