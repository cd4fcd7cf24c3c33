import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { ownProgram } from '../local/own-program.ts';

const url = ({ port, password }: LocalInstance): string => `http://metrics:${password}@localhost:${port}`;

/** App performance: it reads the app's lines as a drain. */
export const metricsService: ProcessService = {
  ...ownProgram('addon-metrics'),
  service: 'newrelic',
  facts: (instance) => ({ url: url(instance) }),
  logDrainUrl: (instance) => `${url(instance)}/logs`,
  message: () =>
    'Its page opens with addons:open; Prometheus reads /metrics at the address in its config var.',
};
