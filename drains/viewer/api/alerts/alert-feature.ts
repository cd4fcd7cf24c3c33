/** Saved searches and alerts, with their routes. */
import { Gauge } from 'prom-client';
import { openAlerts } from '../../alerts/open-alerts.ts';
import type { OpenFeature } from '../../parts.ts';
import { registerAlertRoutes } from './alerts.ts';
import { registerSavedSearchRoutes } from './saved-searches.ts';

export const alertFeature: OpenFeature = async (parts) => {
  const alerts = await openAlerts(parts);
  new Gauge({
    name: 'viewer_alerts_lag_lines',
    help: 'Lines that came and were not looked at for alerts yet.',
    registers: [parts.metrics],
    collect() {
      this.set(alerts.evaluator.lag);
    },
  });
  return {
    registerRoutes: (server) => {
      registerSavedSearchRoutes(server, { book: alerts.book, groups: parts.groups });
      registerAlertRoutes(server, { alerts, pageUrl: parts.pageUrl });
      server.addHook('onListen', async () => alerts.start());
    },
    close: () => alerts.close(),
  };
};
