/**
 * App performance: takes an app's lines as a drain, counts what they say, and shows it.
 *
 *     POST /logs ─► record-shipment (read-line) ─► interval-store ─► report ─► page
 *                                             └─► prometheus ─► GET /metrics
 */
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../common/errors.ts';
import { explainTime, parseTime } from '../../../common/time-expression.ts';
import type { OwnProgramSettings } from '../../host/addons/local/own-program.ts';
import { createServiceServer, requireKey, servePage } from '../runtime/page-server.ts';
import { logLine, runService } from '../runtime/run-service.ts';
import { IntervalStore } from './interval-store.ts';
import { PrometheusExporter } from './prometheus.ts';
import { recordShipment } from './record-shipment.ts';
import { metricsReport } from './report.ts';

const BODY_MAX = 16 * 1_048_576;
const HOUR_MS = 3_600_000;

void runService<OwnProgramSettings>(async ({ name, port, password }) => {
  const store = new IntervalStore(join(process.cwd(), 'metrics.mdb'));
  const exporter = new PrometheusExporter(name);
  const server = createServiceServer(BODY_MAX);
  drainRoutes(server, store, exporter, password);
  await servePage(server, { page: 'metrics', key: password }, (pages) => reportRoutes(pages, store, name));
  const expire = () =>
    void store.expire(Date.now()).catch((error: unknown) => logLine('warning', `old figures stay: ${error}`));
  const timer = setInterval(expire, HOUR_MS);
  expire();
  await server.listen({ port, host: '127.0.0.1' });
  return {
    close: async () => {
      clearInterval(timer);
      await server.close();
      await store.close();
    },
  };
});

/** `POST /logs` for the drain, `GET /metrics` for Prometheus: with the password, as Basic or Bearer. */
function drainRoutes(
  server: FastifyInstance,
  store: IntervalStore,
  exporter: PrometheusExporter,
  password: string,
): void {
  server.addContentTypeParser('application/logplex-1', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  server.post<{ Body: Buffer }>('/logs', async (request, reply) => {
    requireKey(request, password);
    if (!Buffer.isBuffer(request.body))
      throw new TailraceError('unsupported_type', 'Send lines as application/logplex-1.');
    const frameId = request.headers['logplex-frame-id'];
    const body = request.body;
    await recordShipment(
      body,
      typeof frameId === 'string' ? frameId : undefined,
      store,
      exporter,
      Date.now(),
    );
    return reply.code(204).send();
  });
  server.get('/metrics', async (request, reply) => {
    requireKey(request, password);
    return reply.type(exporter.contentType).send(await exporter.text());
  });
}

/** `GET api/report?from=&to=`: times as everywhere, `2h` or RFC 3339; the last hour when none is given. */
function reportRoutes(pages: FastifyInstance, store: IntervalStore, name: string): void {
  pages.get<{ Querystring: { from?: string; to?: string } }>('/api/report', async ({ query }) => {
    const nowMs = Date.now();
    const toMs = timeOf(query.to, 'to', nowMs) ?? nowMs;
    const fromMs = timeOf(query.from, 'from', nowMs) ?? toMs - HOUR_MS;
    if (fromMs >= toMs) throw new TailraceError('invalid_params', '`from` has to be before `to`.');
    return { addon: name, ...metricsReport(store.read(fromMs, toMs, nowMs), fromMs, toMs) };
  });
}

function timeOf(text: string | undefined, name: string, nowMs: number): number | undefined {
  if (text === undefined || text === '') return undefined;
  const parsed = parseTime(text, nowMs);
  if (parsed === undefined) throw new TailraceError('invalid_params', `${name}: ${explainTime(text)}`);
  return parsed;
}
