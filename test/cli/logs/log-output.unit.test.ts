import { expect, it, onTestFinished, vi } from 'vitest';
import { LogOutput } from '../../../src/cli/logs/log-output.ts';
import { ReplayProgress } from '../../../src/cli/logs/replay-progress.ts';

it('a stdout that is full is waited for once, however many write', async () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(false);
  onTestFinished(() => write.mockRestore());
  const before = process.stdout.listenerCount('drain');
  const output = new LogOutput(false, new ReplayProgress({ write: () => {} }));
  const waits = Array.from({ length: 30 }, (_, i) => output.write([`line ${i}`]));
  for (const wait of waits) expect(wait).toBeInstanceOf(Promise);
  expect(process.stdout.listenerCount('drain')).toBe(before + 1);
  process.stdout.emit('drain');
  await Promise.all(waits);
  const next = output.write(['one more']);
  expect(process.stdout.listenerCount('drain')).toBe(before + 1);
  process.stdout.emit('drain');
  await next;
});
