/** The audit stream's lines: one for each request that changed something. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AuditLog } from '../../apps/access/audit-log.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { auditedFields } from './audited-fields.ts';
import { nameOf } from './people.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Name of the app that a changing request concerns. */
    auditedApp?: string;
  }
}

/** What the hooks work with. */
export interface AuditDependencies {
  readonly auditLog: AuditLog;
  readonly appRegistry: AppRegistry;
}

/** Adds the hooks to routes that are registered from now on. Those before have said who makes the request. */
export function auditRequests(api: FastifyInstance, { auditLog, appRegistry }: AuditDependencies): void {
  // Before it is destroyed, or has another name.
  api.addHook('preHandler', async (request) => {
    const { app } = (request.params ?? {}) as { app?: string };
    if (isAudited(request) && app !== undefined) request.auditedApp = (await appRegistry.findApp(app))?.name;
  });
  // Of a new app, or where the app is named in the body.
  api.addHook('preSerialization', async (request, _reply, payload) => {
    if (isAudited(request) && request.auditedApp === undefined)
      request.auditedApp = appNameIn(request.routeOptions.url === '/apps' ? { app: payload } : payload);
    return payload;
  });
  api.addHook('onResponse', async (request, { statusCode }) => {
    if (!isAudited(request) || statusCode >= 400) return;
    const { method, routeOptions, params, body, id, ip, keyGrant, auditedApp, partnerAddon } = request;
    const { app: _app, ...named } = (params ?? {}) as Record<string, string>;
    const { summary } = (routeOptions.schema ?? {}) as { summary?: string };
    auditLog.write({
      action: summary ?? `${method} ${routeOptions.url}`,
      by: partnerAddon === undefined ? nameOf(keyGrant) : `partner of ${partnerAddon}`,
      app: auditedApp,
      fields: {
        ...named,
        ...auditedFields(`${method} ${routeOptions.url}`, body),
        key: keyGrant?.id,
        from: ip,
        request: id,
      },
    });
  });
}

function isAudited({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

function appNameIn(payload: unknown): string | undefined {
  const { app } = (payload ?? {}) as { app?: { name?: unknown } | null };
  return typeof app?.name === 'string' ? app.name : undefined;
}
