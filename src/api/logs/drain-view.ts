import type { DrainState } from '../../logs/drains/drain-state.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import { redactOptions } from '../../logs/drains/options/drain-options.ts';
import { type DrainRecord, redactUrl } from '../../logs/drains/options/drain-record.ts';
import { type CursorRecord, cursorKey } from '../../logs/drains/progress/cursor-record.ts';
import type { Store } from '../../logs/store/contract.ts';

/** A drain as the API shows it, in Heroku's shape, and what it is doing; its URL's credentials are masked. */
export interface DrainView {
  readonly id: string;
  readonly token: string;
  readonly url: string;
  /** The add-on that it was added for. */
  readonly addon: { readonly id: string; readonly name: string } | null;
  readonly extended: { readonly drain_id: string };
  readonly created_at: string;
  readonly updated_at: string;
  readonly paused: boolean;
  readonly options: Readonly<Record<string, unknown>>;
  readonly delivery: DeliveryView;
}

export interface DeliveryView extends Omit<DrainState, 'state'> {
  /** `elsewhere`: another router works on it. */
  readonly state: DrainState['state'] | 'paused' | 'elsewhere';
  /** About: the stream's bytes a line, as they are stored, times the lines. */
  readonly lagBytes: number;
}

/** Where a drain's progress is known. */
export interface DrainViewDependencies {
  readonly store: Store;
  readonly deliveries: DrainSupervisor;
}

/** A drain in the Platform API's shape, and what it is doing. */
export async function drainView(
  drain: DrainRecord,
  { store, deliveries }: DrainViewDependencies,
): Promise<DrainView> {
  const delivery = deliveries.stateOf(drain.id) ?? (await remoteDeliveryView(drain, store));
  const { first, last, bytes } = await store.bounds(drain.app);
  const lineBytes = bytes / Math.max(1, last - first + 1);
  return {
    id: drain.id,
    token: drain.token,
    url: redactUrl(drain.url),
    addon: drain.addon ?? null,
    extended: { drain_id: drain.id },
    created_at: drain.createdAt,
    updated_at: drain.updatedAt,
    paused: drain.paused ?? false,
    options: redactOptions(drain.options ?? {}),
    delivery: {
      ...delivery,
      lagBytes: Math.round(lineBytes * Math.min(delivery.lagLines, last - first + 1)),
    },
  };
}

/** What is known of a drain that isn't worked on here: it is paused, or another router's. */
async function remoteDeliveryView(drain: DrainRecord, store: Store): Promise<Omit<DeliveryView, 'lagBytes'>> {
  const cursor = (await store.get<CursorRecord>(drain.app, cursorKey(drain.id)))?.value;
  const { last } = await store.bounds(drain.app);
  const after = cursor?.after ?? drain.after;
  const waiting = last > after ? (await store.read(drain.app, after, 1)).at(0) : undefined;
  return {
    state: drain.paused ? 'paused' : 'elsewhere',
    delivered: cursor?.delivered ?? 0,
    lost: cursor?.lost ?? 0,
    withheld: cursor?.withheld ?? 0,
    after,
    lagLines: Math.max(0, last - after),
    lagMs: waiting ? Math.max(0, (await store.time()) - waiting.storedAtMs) : 0,
    linesPerSecond: 0,
    failures: 0,
  };
}
