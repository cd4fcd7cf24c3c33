/**
 * A request whose lines are handed over together: under its name (`Logplex-Frame-Id`) when it has one, else to the gatherer of
 * its app, which is asked before for the room, so that what fits into one batch is stored all or none.
 */
import type { Limits } from '../../router/limits.ts';
import type { Router } from '../../router/router.ts';
import type { Tenant } from '../../router/tenants.ts';
import type { SourceCounters } from '../counters.ts';
import { Intake } from '../intake.ts';
import { namedBatches } from './named-batch.ts';

const FRAME_NAME_CHARACTERS = 128;

export interface WholeRequest {
  readonly router: Router;
  readonly limits: Limits;
  readonly counters: SourceCounters;
  /** The sender's address. */
  readonly host: string;
  /** Whose all the lines are; undefined when every line names its own token. */
  readonly tenant: Tenant | undefined;
  /** About what its lines take in a batch. */
  readonly bytes: number;
  /** From {@link frameName}, or given to it here. */
  readonly name: string | undefined;
  /** See the intake's. */
  readonly drainForm?: boolean;
}

/** The name that the sender gave the request, cut to a bearable length. */
export function frameName(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header.slice(0, FRAME_NAME_CHARACTERS) : undefined;
}

/**
 * What to give the lines to; they are stored when its `stored()` has resolved. `spare`, of a request before from the same
 * connection that had no name, is taken again when it does.
 */
export function intakeOf(whole: WholeRequest, spare?: Intake): Intake {
  const { router, limits, counters, host, tenant, bytes, name, drainForm } = whole;
  if (name === undefined && tenant) router.gatherer(tenant.app).reserve(bytes);
  if (name === undefined && spare && spare.fixed === tenant) return spare;
  return new Intake({
    router,
    counters,
    limits,
    host,
    fixed: tenant,
    drainForm,
    targetFor: name === undefined ? undefined : namedBatches(router, name, bytes, counters),
  });
}
