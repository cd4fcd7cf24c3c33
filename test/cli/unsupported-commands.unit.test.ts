/** What Heroku's command has and `tailrace` hasn't is answered by a sentence. */
import { expect, it } from 'vitest';
import {
  UNSUPPORTED,
  unsupportedCommand,
  unsupportedPath,
} from '../../src/apps/host/unsupported-features.ts';

it.each([
  ['teams', 'teams'],
  ['members:add', 'teams'],
  ['spaces:vpn:info', 'teams'],
  ['apps:transfer', 'owners'],
  ['join', 'owners'],
  ['ci:run', 'tests'],
  ['reviewapps:create', 'tests'],
  ['pipelines:diff', 'pipelines'],
  ['webhooks:add', 'webhooks'],
  ['keys:add', 'keys'],
  ['certs:auto:refresh', 'certs'],
  ['container:release', 'images'],
  ['ps:autoscale:enable', 'autoscaling'],
  ['ps:forward', 'ports'],
  ['usage:addons', 'billing'],
  ['stack:set', 'machine'],
  ['telemetry', 'telemetry'],
  ['data:pg:info', 'databaseNames'],
  ['pg:bloat', 'database'],
  ['pg:copy', 'databaseCopy'],
  ['redis:upgrade', 'databaseVersion'],
  ['data:pg:credentials:rotate', 'databaseUsers'],
  ['apps:favorites:add', 'favorites'],
  ['domains:info', 'hostNames'],
  ['domains:update', 'certs'],
  ['auth:2fa:disable', 'secondFactor'],
  ['redis:maxmemory', 'keyValue'],
] as const)('%s', (command, feature) => {
  expect(unsupportedCommand(command)).toBe(UNSUPPORTED[feature]);
});

it.each(['lgos', 'city', 'psql', 'team', 'pipeline', ''])('%j is no command of Heroku’s', (command) => {
  expect(unsupportedCommand(command)).toBeUndefined();
});

it.each([
  ['/loki/api/v1/push', 'otherIntake'],
  ['/insert/loki/api/v1/push', 'otherIntake'],
  ['/services/collector/event', 'otherIntake'],
  ['/shop/_bulk', 'otherIntake'],
  ['/api/v2/logs', 'otherIntake'],
  ['/log', 'otherIntake'],
  ['/logs/', 'otherIntake'],
  ['/v1/traces', 'otherSignals'],
  ['/healthz', 'health'],
  ['/teams/acme', 'teams'],
] as const)('the path %s, which other servers have', (path, feature) => {
  expect(unsupportedPath(path)).toBe(UNSUPPORTED[feature]);
});

it.each(['/logs', '/v1/logs', '/catalog', '/apps/log', '/'])('%s is nobody else’s', (path) => {
  expect(unsupportedPath(path)).toBeUndefined();
});
