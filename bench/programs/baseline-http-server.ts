/**
 * The least that a Fastify server can do with a request to `/logs`: reads the body, discards it, responds. `/unpacked` unpacks it before.
 */
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import Fastify from 'fastify';

const server = Fastify({ logger: false });
server.removeAllContentTypeParsers();
server.addContentTypeParser('*', (request, payload, done) => {
  if (request.url === '/unpacked') {
    buffer(payload).then((body) => done(null, gunzipSync(body).length), done);
    return;
  }
  payload.on('end', () => done(null));
  payload.on('error', done);
  payload.resume();
});
for (const path of ['/logs', '/unpacked']) server.post(path, (_request, reply) => reply.code(204).send());
process.on('disconnect', () => process.exit());
process.send?.({ url: await server.listen({ host: '127.0.0.1', port: 0 }) });
