/** What Heroku's command has and `tailrace` hasn't is answered by a sentence. */
import { expect, it } from 'vitest';
import { UNSUPPORTED, unsupportedCommand } from '../../src/apps/host/unsupported-features.ts';

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
