/** The services of this machine. A new one: a file here, a line below, and an entry in ../catalog/catalog.ts. */
import type { LocalService } from '../local/local-service.ts';
import { mailService } from './mail.ts';
import { memcachedService } from './memcached.ts';
import { metricsService } from './metrics.ts';
import { mongodbService } from './mongodb.ts';
import { papertrailService } from './papertrail.ts';
import { postgresService } from './postgres/postgres.ts';
import { redisService } from './redis.ts';
import { sentryService } from './sentry.ts';

export const LOCAL_SERVICES: readonly LocalService[] = [
  postgresService,
  redisService,
  memcachedService,
  mongodbService,
  mailService,
  sentryService,
  metricsService,
  papertrailService,
];
