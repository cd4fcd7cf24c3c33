/** The services of this machine. A new one: a file here, a line below, and an entry in ../catalog/catalog.ts. */
import type { LocalService } from '../local/local-service.ts';
import { metricsService } from './metrics.ts';
import { papertrailService } from './papertrail.ts';
import { postgresService } from './postgres/postgres.ts';
import { redisService } from './redis.ts';

export const LOCAL_SERVICES: readonly LocalService[] = [
  postgresService,
  redisService,
  metricsService,
  papertrailService,
];
