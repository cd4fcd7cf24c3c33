/** The registry of all metrics; each component registers its own, `GET /metrics` exposes them. */
import { Gauge, Registry } from 'prom-client';

/** A registry with the metrics of the process as a whole. */
export function createRegistry(): Registry {
  const registry = new Registry();
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory of the process that is in RAM.',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_cpu_seconds_total',
    help: 'CPU time that the process has used, user and system.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.set((user + system) / 1e6);
    },
  });
  return registry;
}
