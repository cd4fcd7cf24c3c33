import { describe, expect, test } from 'vitest';
import type { RoutedApp, Upstream } from '../../../src/apps/http-router/app-lookup.ts';
import { failures } from '../../../src/apps/http-router/error-codes.ts';
import { ExchangeState } from '../../../src/apps/http-router/exchange-state.ts';
import { DEFAULT_ROUTER_TIMEOUTS } from '../../../src/apps/http-router/timeouts.ts';

const { bootMs, connectMs, firstByteMs, idleMs } = DEFAULT_ROUTER_TIMEOUTS;
type Request = ConstructorParameters<typeof ExchangeState>[0];

const GET: Request = { failure: undefined, idempotent: true, keepAlive: true };
const POST: Request = { ...GET, idempotent: false };
const NO_QUARANTINE = { isQuarantined: () => false };
const first = () => 0;

const up = (name: string): Upstream => ({ name, port: 1, state: 'up' });

function appWith(dynos: readonly Upstream[], maintenance = false): RoutedApp {
  return {
    name: 'myapp',
    isBlank: false,
    maintenance,
    errorPages: {},
    webDynos: () => dynos,
    desiredWebDynos: () => 1,
    onChange: () => () => {},
    log() {},
  };
}

/** An exchange whose request's body the test sets; `sent` if the request's head is with the dyno. */
function exchange(request: Request = GET, phase: 'waiting' | 'connecting' | 'sent' = 'waiting') {
  const body = { done: true, replayable: true };
  const state = new ExchangeState(request, body, DEFAULT_ROUTER_TIMEOUTS);
  if (phase !== 'waiting') state.attemptStarted('web.1', 0);
  if (phase === 'sent') state.requestSent();
  const respond = (started = true) => {
    state.response = {
      started,
      keepDynoConnection: true,
      keepClientConnection: true,
      dynoEnded: () => 'done',
    };
  };
  return { state, body, respond };
}

describe('a request is routed', () => {
  const route = (state: ExchangeState, app: RoutedApp) => state.route(app, NO_QUARANTINE, first);

  test('to a dyno that is up', () => {
    expect(route(exchange().state, appWith([up('web.1')]))).toMatchObject({ name: 'web.1' });
  });

  test('nowhere if its head is malformed, even during maintenance', () => {
    const { state } = exchange({ ...GET, failure: failures.badHeader });
    expect(route(state, appWith([up('web.1')], true))).toBe(failures.badHeader);
  });

  test('nowhere during maintenance', () => {
    expect(route(exchange().state, appWith([up('web.1')], true))).toBe(failures.maintenance);
  });

  test('after a failed connection to another dyno, until there is none left', () => {
    const { state } = exchange();
    const app = appWith([up('web.1'), up('web.2')]);
    state.attemptStarted('web.1', 0);
    expect(state.dynoClosed(false, 'ECONNREFUSED')).toBe('retry');
    expect(route(state, app)).toMatchObject({ name: 'web.2' });
    state.attemptStarted('web.2', 0);
    expect(state.expired(false)).toBe('retry');
    expect(route(state, app)).toBe(failures.connectTimeout);
  });

  test('to a dyno that failed, once the dynos have changed', () => {
    const { state } = exchange(GET, 'connecting');
    const app = appWith([up('web.1')]);
    expect(state.dynoClosed(false, 'ECONNREFUSED')).toBe('retry');
    expect(route(state, app)).toBe(failures.refused);
    state.dynosChanged();
    expect(route(state, app)).toMatchObject({ name: 'web.1' });
  });

  test('in ten attempts at most', () => {
    const { state } = exchange();
    for (let attempt = 1; attempt <= 10; attempt++) {
      state.attemptStarted(`web.${attempt}`, 0);
      expect(state.dynoClosed(false, 'ECONNREFUSED')).toBe(attempt < 10 ? 'retry' : failures.refused);
    }
  });
});

describe('a dyno that closes without a byte of a response', () => {
  const closed = (request: Request, reused: boolean, code: string, replayable = true) => {
    const { state, body } = exchange(request, 'sent');
    body.replayable = replayable;
    return state.dynoClosed(reused, code);
  };

  test.each([
    ['after its connection was idle', true, ''],
    ['by a reset of an idle connection', true, 'ECONNRESET'],
    ['by a reset of a new connection', false, 'ECONNRESET'],
  ])('%s, gets a GET again', (_how, reused, code) => {
    expect(closed(GET, reused, code)).toBe('retry');
  });

  test.each([
    ['a POST', POST, true, true],
    ['a body of which parts are gone', GET, false, true],
    ['a request that it hung up on', GET, true, false],
  ])('ends %s with H13', (_what, request, replayable, reused) => {
    expect(closed(request, reused, '', replayable)).toBe(failures.noResponse);
  });

  test('is tried again itself if only its idle connection was closed', () => {
    const { state } = exchange(GET, 'sent');
    expect(state.dynoEnded(true)).toBe('retry');
    expect(state.route(appWith([up('web.1')]), NO_QUARANTINE, first)).toMatchObject({ name: 'web.1' });
  });
});

describe('a dyno that closes during its response', () => {
  test('in an orderly way: the response knows whether that is its end', () => {
    const { state, respond } = exchange(GET, 'sent');
    respond();
    expect(state.dynoEnded(false)).toBe('done');
  });

  test('by a reset: H18, or H13 while the client has got nothing', () => {
    const { state, respond } = exchange(GET, 'sent');
    respond(false);
    expect(state.dynoClosed(false, 'ECONNRESET')).toBe(failures.noResponse);
    respond();
    expect(state.dynoClosed(false, 'ECONNRESET')).toBe(failures.interrupted);
  });
});

test('a tunnel ends without an error, whoever closes it', () => {
  const { state, respond } = exchange(GET, 'sent');
  respond();
  state.tunnelStarted();
  expect(state.dynoEnded(false)).toBe('done');
  expect(state.dynoClosed(false, 'ECONNRESET')).toBe('done');
  expect(state.aborted()).toBe('done');
  expect(state.clientClosed()).toBeUndefined();
  expect(state.expired(false)).toBe(failures.idle);
});

test('a client that leaves is H27, a router that stops H99', () => {
  const { state } = exchange(GET, 'sent');
  expect(state.clientClosed()).toBe(failures.clientGone);
  expect(state.aborted()).toBe(failures.stopped);
});

describe('a deadline that passes', () => {
  test('while it waits for a dyno is H20', () => {
    expect(exchange().state.expired(false)).toBe(failures.boot);
  });

  test('during the response is H15', () => {
    const { state, respond } = exchange(GET, 'sent');
    respond();
    expect(state.expired(false)).toBe(failures.idle);
  });

  test('after the request is H12', () => {
    expect(exchange(GET, 'sent').state.expired(false)).toBe(failures.timeout);
  });

  test('during the request is H28, and H12 if the dyno does not read it', () => {
    const { state, body } = exchange(POST, 'sent');
    body.done = false;
    expect(state.expired(false)).toBe(failures.clientIdle);
    expect(state.expired(true)).toBe(failures.timeout);
  });
});

describe('the deadline', () => {
  test('for a dyno to boot stays the same, however often the request waits', () => {
    const { state } = exchange();
    expect(state.bootDeadlineMs).toBe(0);
    expect(state.bootWaitStarted(1_000)).toBe(1_000 + bootMs);
    expect(state.attemptStarted('web.1', 2_000)).toBe(2_000 + connectMs);
    expect(state.bootWaitStarted(3_000)).toBe(1_000 + bootMs);
    expect(state.phase).toBe('waiting');
  });

  test('is not put off by the client while there is no dyno', () => {
    const { state } = exchange();
    expect(state.deadlineAfterActivity(500, 1_000)).toBe(1_000);
    state.attemptStarted('web.1', 0);
    expect(state.deadlineAfterActivity(500, 1_000)).toBe(1_000);
  });

  test('follows the request and the response', () => {
    const { state, body, respond } = exchange(POST, 'sent');
    body.done = false;
    expect(state.deadlineAfterActivity(1_000, 0)).toBe(1_000 + idleMs);
    body.done = true;
    expect(state.deadlineAfterActivity(1_000, 0)).toBe(1_000 + firstByteMs);
    respond(false);
    expect(state.deadlineAfterActivity(1_000, 0)).toBe(1_000 + firstByteMs);
    respond();
    expect(state.deadlineAfterActivity(1_000, 0)).toBe(1_000 + idleMs);
    state.tunnelStarted();
    expect(state.deadlineAfterActivity(1_000, 0)).toBe(1_000 + idleMs);
  });
});

describe('the connections', () => {
  const kept = (state: ExchangeState) => [state.mayKeepDynoConnection(), state.mayKeepClientConnection()];

  test('are kept after a whole request and a whole response', () => {
    const { state, respond } = exchange(GET, 'sent');
    expect(kept(state)).toEqual([false, false]);
    respond();
    expect(kept(state)).toEqual([true, true]);
  });

  test('are kept as far as the response allows', () => {
    const { state, respond } = exchange(GET, 'sent');
    respond();
    if (state.response) state.response = { ...state.response, keepClientConnection: false };
    expect(kept(state)).toEqual([true, false]);
  });

  test('are closed if the response came before the end of the request', () => {
    const { state, body, respond } = exchange(POST, 'sent');
    body.done = false;
    respond();
    expect(kept(state)).toEqual([false, false]);
  });

  test('are closed after a tunnel', () => {
    const { state, respond } = exchange(GET, 'sent');
    respond();
    state.tunnelStarted();
    expect(kept(state)).toEqual([false, false]);
  });

  test('of the client is kept after an error page only if the next request can be found', () => {
    const { state, body } = exchange();
    expect(state.mayKeepClientAfterFailure()).toBe(true);
    body.done = false;
    expect(state.mayKeepClientAfterFailure()).toBe(false);
    expect(exchange({ ...GET, keepAlive: false }).state.mayKeepClientAfterFailure()).toBe(false);
    const malformed = exchange({ ...GET, failure: failures.badHeader });
    expect(malformed.state.mayKeepClientAfterFailure()).toBe(false);
  });
});
