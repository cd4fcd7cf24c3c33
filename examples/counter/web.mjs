// The web dyno: a page that counts drops, and some doors to open to see what they do to the logs.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

const { PORT = '5000', DYNO = 'web.1', GREETING = 'Every drop counts' } = process.env;
const page = await readFile(new URL('page.html', import.meta.url), 'utf8');
let hits = 0;

const routes = {
  '/': () => ({ type: 'text/html; charset=utf-8', body: page }),
  '/about': () => json({ dyno: DYNO, greeting: GREETING, hits }),
  '/hit': () => {
    hits += 1;
    if (hits % 10 === 0) console.log(`milestone hits=${hits}`);
    return json({ hits, dyno: DYNO });
  },
  '/slow': async () => {
    const ms = 1000 + Math.round(Math.random() * 2000);
    await wait(ms);
    return json({ slept: ms });
  },
  '/json': () => {
    const order = {
      level: 'info',
      event: 'order.placed',
      order: 1000 + hits,
      items: 3,
      total: 41.9,
      currency: 'EUR',
    };
    console.log(JSON.stringify(order));
    return json(order);
  },
  '/crash': () => {
    // After the answer, so that the browser gets one.
    setTimeout(() => {
      throw new Error('somebody pushed the red button');
    }, 50);
    return json({ goodbye: DYNO });
  },
};

function json(value) {
  return { type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

const server = createServer(async (request, response) => {
  const startedAt = performance.now();
  const path = new URL(request.url, 'http://localhost').pathname;
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  const { type, body } = route ? await route() : { type: 'text/plain', body: 'There is nothing here.\n' };
  const status = route ? 200 : 404;
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  const service = Math.round(performance.now() - startedAt);
  console.log(`method=${request.method} path=${JSON.stringify(path)} status=${status} service=${service}ms`);
});

server.listen(Number(PORT), () => console.log(`listening on http://localhost:${PORT}`));

// The polite end: no new connections, the requests under way are answered, then out.
process.once('SIGTERM', () => {
  console.log('SIGTERM: answering what is under way');
  server.close(() => {
    console.log(`bye, after ${hits} drops`);
    process.exit(0);
  });
  server.closeIdleConnections();
});
