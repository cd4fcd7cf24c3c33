import type { FastifyInstance } from 'fastify';
import type { Context } from './context.ts';
import { describe } from './shapes.ts';

/** `GET /status`: how this router is doing, for `tailrace status`. */
export function statusRoutes(api: FastifyInstance, context: Context): void {
  api.get('/status', describe('How this router is doing', 'Any'), async () => ({
    version: context.version,
    pid: process.pid,
    uptime_s: Math.round((Date.now() - context.startedAtMs) / 1_000),
    memory_bytes: process.memoryUsage.rss(),
    sources: context.counters,
  }));
}
