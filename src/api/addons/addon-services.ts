import type { FastifyInstance } from 'fastify';
import { planOf, requirePlan, requireService } from '../../apps/host/addons/catalog/find-service.ts';
import { paginate } from '../pagination.ts';
import { routeSchema } from '../schemas-heroku.ts';
import type { AddonRouteDependencies } from './addon-scene.ts';
import { planView, serviceView } from './views.ts';

/** `/addon-services`, `/plans`: what can be added. */
export function addonServiceRoutes(
  api: FastifyInstance,
  { addons }: Pick<AddonRouteDependencies, 'addons'>,
): void {
  api.get(
    '/addon-services',
    routeSchema('List what can be added', 'AddonService', { many: true }),
    async (request, reply) =>
      paginate(request, reply, (await addons.services()).map(serviceView), ['name', 'id']),
  );
  api.get<{ Params: { service: string } }>(
    '/addon-services/:service',
    routeSchema('Look at an add-on service, by any of its names', 'AddonService'),
    async (request) => serviceView(requireService(await addons.services(), request.params.service).service),
  );
  api.get<{ Params: { service: string } }>(
    '/addon-services/:service/plans',
    routeSchema("List a service's plans", 'Plan', { many: true }),
    async (request) => {
      const { service } = requireService(await addons.services(), request.params.service);
      return service.plans.map((plan) => planView(service, plan));
    },
  );
  api.get<{ Params: { service: string; plan: string } }>(
    '/addon-services/:service/plans/:plan',
    routeSchema('Look at a plan', 'Plan'),
    async ({ params }) => {
      const { service } = requireService(await addons.services(), params.service);
      return planView(service, planOf(service, params.plan.split(':').at(-1)));
    },
  );
  api.get<{ Params: { plan: string } }>(
    '/plans/:plan',
    routeSchema('Look at a plan', 'Plan'),
    async ({ params }) => {
      const { service, plan } = requirePlan(await addons.services(), params.plan);
      return planView(service, plan);
    },
  );
}
