import { createServer, type Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TargetPolicy } from '../../../../src/logs/drains/options/target-policy.ts';
import { Dialer } from '../../../../src/logs/drains/sinks/dialer.ts';
import { OutletFactory } from '../../../../src/logs/drains/sinks/outlet-factory.ts';
import { isUnreachableError } from '../../../../src/logs/drains/sinks/reachability.ts';
import { freePort } from '../../../support/free-port.ts';
import { until } from '../../../support/until.ts';

function listen(port: number): Promise<Server> {
  const server = createServer((socket) => socket.resume());
  onTestFinished(() => void server.close());
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

describe('an unreachable destination', () => {
  it('is found reachable again within a second, and all its listeners are called', async () => {
    const port = await freePort();
    const outlets = new OutletFactory(new TargetPolicy(true), '0');
    const drain = (path: string) => ({
      id: path,
      app: 'a' as never,
      token: 'd.1',
      url: `http://127.0.0.1:${port}/${path}`,
      after: 0,
      createdAt: '',
      updatedAt: '',
    });
    const opened: string[] = [];
    outlets.onReachable(drain('one'), () => opened.push('one'));
    outlets.onReachable(drain('two'), () => opened.push('two'));
    const forget = outlets.onReachable(drain('three'), () => opened.push('three'));
    forget();
    let knocks = 0;
    const server = await listen(port);
    server.on('connection', () => knocks++);
    await until('they are told', () => opened.length === 2);
    expect(opened).toEqual(['one', 'two']);
    expect(knocks).toBe(1);
  });

  it('is distinguished from one that responds, or fails otherwise', async () => {
    const dialer = new Dialer(new TargetPolicy(true));
    const failure = (port: number, tls = false): Promise<unknown> =>
      dialer.dial({ host: '127.0.0.1', port, tls: tls ? {} : undefined }).catch((error: unknown) => error);
    expect(isUnreachableError(await failure(await freePort()))).toBe(true);
    const rude = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void rude.close());
    const address = rude.address();
    const reset = await failure(typeof address === 'object' && address ? address.port : 0, true);
    expect(reset).toBeInstanceOf(Error);
    expect(isUnreachableError(reset)).toBe(false);
  });
});
