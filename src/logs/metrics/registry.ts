/** The registry of all metrics; each component registers its own, `GET /metrics` exposes them. */
import { readdir, readFile } from 'node:fs/promises';
import { Counter, Gauge, Registry } from 'prom-client';
import { VERSION } from '../../common/package-info.ts';
import { EventLoopLag } from './event-loop-lag.ts';

/** A registry with the metrics of the process as a whole, by the names that Prometheus' clients give them. */
export function createRegistry(): Registry {
  const registry = new Registry();
  const lag = new EventLoopLag();
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  gauge('process_resident_memory_bytes', 'Memory of the process that is in RAM.', () =>
    process.memoryUsage.rss(),
  );
  gauge('process_start_time_seconds', 'When the process was started, Unix time.', startSeconds);
  gauge(
    'nodejs_heap_size_used_bytes',
    'Memory that JavaScript objects take.',
    () => process.memoryUsage().heapUsed,
  );
  gauge(
    'tailrace_event_loop_lag_seconds',
    'How late the server was for what was due, at the most in the last minute.',
    () => lag.maxMs / 1_000,
  );
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time that the process has used, user and system.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  if (process.platform === 'linux') registerDescriptors(registry);
  new Gauge({
    name: 'tailrace_build_info',
    help: 'Always 1; its labels say what runs.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version: VERSION, node: process.versions.node }, 1);
  return registry;
}

function startSeconds(): number {
  return Math.round(performance.timeOrigin / 1_000);
}

function registerDescriptors(registry: Registry): void {
  new Gauge({
    name: 'process_open_fds',
    help: 'Files and connections that are open.',
    registers: [registry],
    async collect() {
      this.set((await readdir('/proc/self/fd')).length);
    },
  });
  new Gauge({
    name: 'process_max_fds',
    help: 'Files and connections that may be open.',
    registers: [registry],
    async collect() {
      const limits = await readFile('/proc/self/limits', 'utf8');
      const [, max] = /^Max open files +(\d+)/m.exec(limits) ?? [];
      if (max !== undefined) this.set(Number(max));
    },
  });
}
