import type { Registry } from 'prom-client';
import { UnlabeledHistogram } from './unlabeled-histogram.ts';

/** Registers metrics of stored batches. Returns the observer of a batch: its lines, bytes, and ms from its first line until it was stored. */
export function registerBatchMetrics(
  registry: Registry,
): (lines: number, bytes: number, afterMs: number) => void {
  const lineCounts = new UnlabeledHistogram(
    'tailrace_batch_lines',
    'Lines of the batches that were stored.',
    [1, 3, 10, 30, 100, 300, 1_000, 3_000],
  ).register(registry);
  const byteCounts = new UnlabeledHistogram(
    'tailrace_batch_bytes',
    'Bytes of the batches that were stored.',
    [256, 1_024, 4_096, 16_384, 65_536, 262_144],
  ).register(registry);
  const seconds = new UnlabeledHistogram(
    'tailrace_durable_seconds',
    "From the arrival of a batch's first line until the batch was durable; the HTTP router's lines gather for up to 10 ms, and those of many slow apps that nobody reads for half a second.",
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  ).register(registry);
  return (lines, bytes, afterMs) => {
    lineCounts.observe(lines);
    byteCounts.observe(bytes);
    seconds.observe(afterMs / 1_000);
  };
}
