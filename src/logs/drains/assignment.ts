/**
 * Which router works on which drain: a pure function of who is there, so that all routers come to the same answer
 * without talking about it. Each gets its share, the same number of drains as every other one or one more; when a router
 * comes or goes, only about as many drains move as have to.
 *
 * Every drain has its own order of preference among the routers (rendezvous hashing); the drains choose in turn
 * among the routers that have room.
 */
export function assignDrains(drains: readonly string[], routers: readonly string[]): Map<string, string> {
  const assignments = new Map<string, string>();
  if (routers.length === 0) return assignments;
  const quota = Math.floor(drains.length / routers.length);
  /** How many routers may have one more. */
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

/** How much a drain likes a router: the FNV-1a hash of both, mixed once more, since similar ids have similar sums. */
function rendezvousScore(drain: string, router: string): number {
  let hash = 0x811c9dc5;
  for (const text of [drain, router])
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
