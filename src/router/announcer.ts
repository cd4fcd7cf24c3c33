import type { AppId } from '../store/contract.ts';
import { Header, scanHeader } from '../syslog/header.ts';
import type { Router } from './router.ts';
import type { Tenant } from './tenants.ts';

/** Priorities of the platform's own lines (facility * 8 + severity), as Heroku has them. */
export const Priority = {
  /** local3.info */
  router: 158,
  /** local5.warning */
  loss: 172,
  /** local5.warning; local5.notice; local7.warning: of drains that break, recover, show a bad certificate */
  failure: 172,
  recovery: 173,
  certificate: 188,
  /** local7.info, of `app[api]` */
  api: 190,
} as const;

const NO_HOST = Buffer.from('host');

/** Lets this process's own parts speak into an app's stream: the HTTP router, the API, the drains. */
export class Announcer {
  private readonly router: Router;
  private readonly header = new Header();

  constructor(router: Router) {
    this.router = router;
  }

  /** Adds the line `source[dyno]: message` to an app's stream; it is stored as soon as the store takes it. */
  announce(app: AppId, source: 'app' | 'heroku', dyno: string, priority: number, message: string): void {
    const line = Buffer.from(`<${priority}>1 - - ${source} ${dyno} - - ${message}`);
    if (!scanHeader(line, 0, line.length, this.header)) return;
    const sourceBytes = Buffer.from(source);
    const speaker: Tenant = { token: '', tokenBytes: sourceBytes, app, source, sourceBytes };
    const gatherer = this.router.gatherer(app);
    gatherer.add(line, 0, line.length, this.header, speaker, NO_HOST);
    gatherer.entrust();
  }
}
