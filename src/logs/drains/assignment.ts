/**
 * Assigns drains to routers: a pure function of both lists, so that all routers compute the same assignment without
 * coordination. Each gets as many drains as every other one, or one more; when a router joins or leaves, only about as many
 * drains move as have to.
 *
 * Every drain has its own order of preference among the routers (rendezvous hashing); the drains choose one after the other
 * among the routers with capacity left.
 */
export function assignDrains(drains: readonly string[], routers: readonly string[]): Map<string, string> {
  const assignments = new Map<string, string>();
  if (routers.length === 0) return assignments;
  const quota = Math.floor(drains.length / routers.length);
  /** Routers that may still get one more than the quota. */
  let extras = drains.length % routers.length;
  const capacity = new Map([...routers].sort().map((router) => [router, quota]));
  for (const drain of [...drains].sort()) {
    const preferred = [...capacity.keys()].sort(
      (a, b) => rendezvousScore(drain, b) - rendezvousScore(drain, a),
    );
    const router = preferred.find(
      (one) => (capacity.get(one) ?? 0) > -1 && (capacity.get(one) !== 0 || extras > 0),
    );
    if (router === undefined) continue;
    const left = capacity.get(router) ?? 0;
    if (left === 0) extras--;
    capacity.set(router, left - 1);
    assignments.set(drain, router);
  }
  return assignments;
}

/** A drain's preference for a router: the FNV-1a hash of both ids, mixed once more, since similar ids have similar hashes. */
function rendezvousScore(drain: string, router: string): number {
  let hash = 0x811c9dc5;
  for (const text of [drain, router])
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
