import { expect, it, onTestFinished } from 'vitest';
import { RestartableProgram } from './restartable.ts';

it('a program that doesn’t end when it is asked to is killed, and told of', async () => {
  const program = new RestartableProgram({
    name: 'stubborn',
    args: [
      '-e',
      "process.on('SIGTERM', () => console.error('no')); setInterval(() => {}, 60_000); console.log('ready')",
    ],
    env: () => ({}),
    ready: /ready/,
    stopTimeoutMs: 200,
  });
  onTestFinished(() => program.end('SIGKILL'));
  await program.start();
  await program.whileDown('SIGTERM', async () => {});
  expect(program.isRunning).toBe(true);
  expect(program.hangs).toEqual(["stubborn didn't end at SIGTERM: no\n"]);
});
