/** Holds unit tests to what they are: none listens on a port, connects to one, or starts a program. */
import { ChildProcess } from 'node:child_process';
import { Socket as UdpSocket } from 'node:dgram';
import { Server, Socket } from 'node:net';
import { afterAll, beforeAll } from 'vitest';

function refuse(): never {
  throw new Error('A unit test opens no socket and starts no program: call the file .test.ts without .unit');
}

const forbidden: [object, string][] = [
  [Server.prototype, 'listen'],
  [Socket.prototype, 'connect'],
  [UdpSocket.prototype, 'bind'],
  // Also for exec, execFile and fork.
  [ChildProcess.prototype, 'spawn'],
];
const originals = forbidden.map(([prototype, name]) => Object.getOwnPropertyDescriptor(prototype, name)!);

beforeAll(() => {
  for (const [prototype, name] of forbidden) Object.defineProperty(prototype, name, { value: refuse });
});
// Files of one worker share its process.
afterAll(() => {
  forbidden.forEach(([prototype, name], i) => {
    Object.defineProperty(prototype, name, originals[i]);
  });
});
