/** The least that a Fastify server can do with a request to `/logs`: reads the body, discards it, responds. */
import Fastify from 'fastify';

const server = Fastify({ logger: false });
server.removeAllContentTypeParsers();
server.addContentTypeParser('*', (_request, payload, done) => {
  payload.on('end', () => done(null));
  payload.on('error', done);
  payload.resume();
});
server.post('/logs', (_request, reply) => reply.code(204).send());
process.on('disconnect', () => process.exit());
process.send?.({ url: await server.listen({ host: '127.0.0.1', port: 0 }) });
