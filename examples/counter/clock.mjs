// The clock dyno: starts things at their time. Here it only says that it would.
const { CLOCK_TICK_MS = '10000' } = process.env;
const startedAt = Date.now();
let ticks = 0;

const timer = setInterval(() => {
  ticks += 1;
  const uptime = Math.round((Date.now() - startedAt) / 1000);
  const memory = (process.memoryUsage.rss() / 1e6).toFixed(1);
  console.log(`tick=${ticks} uptime=${uptime}s sample#memory_rss=${memory}MB`);
}, Number(CLOCK_TICK_MS));

console.log(`ticking every ${CLOCK_TICK_MS} ms`);

process.once('SIGTERM', () => {
  console.log(`stopped after ${ticks} ticks`);
  clearInterval(timer);
});
