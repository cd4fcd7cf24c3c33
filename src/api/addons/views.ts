/** Add-ons, attachments, services and plans in the Platform API's shape. */
import type { AddonPlan, CatalogService } from '../../apps/host/addons/catalog/catalog-entry.ts';
import { attachedConfigVars, configVarName } from '../../apps/host/addons/catalog/config-vars.ts';
import type { AddonRecord, AttachmentRecord } from '../../apps/host/addons/model/addon-record.ts';
import { type AddonSnapshot, attachmentsOfAddon } from '../../apps/host/addons/model/addon-records.ts';
import type { ProvidedService } from '../../apps/host/addons/provider.ts';
import { OWNER } from '../../apps/records/owner.ts';
import { nameProgram } from '../../common/text/program-name.ts';
import type { AppId } from '../../logs/store/contract.ts';

const FREE_PRICE = { cents: 0, contract: false, metered: false, unit: 'month' } as const;

/** Everything that is to be shown, as it was at one moment. */
export interface AddonScene extends AddonSnapshot {
  readonly appNames: ReadonlyMap<AppId, string>;
  readonly services: readonly ProvidedService[];
  /** How whoever asks has called the command line. */
  readonly program: string;
  /** The page of an add-on, for one use; null: it has none, or may not be opened with this key. */
  readonly webUrl: (addon: AddonRecord) => string | null;
}

/** The states that Heroku knows. */
function stateView({ state }: AddonRecord): string {
  return state === 'creating' ? 'provisioning' : state;
}

/** An add-on. `config_vars` are those that its owner has of it. */
export function addonView(scene: AddonScene, addon: AddonRecord) {
  const app = appReference(scene, addon.app);
  const service = scene.services.find(({ name }) => name === addon.service);
  return {
    id: addon.id,
    name: addon.name,
    actions: [],
    app,
    addon_service: {
      id: addon.service,
      name: addon.service,
      human_name: service?.humanName ?? addon.service,
    },
    plan: planReference(addon),
    billed_price: FREE_PRICE,
    billing_entity: { ...app, type: 'app' },
    config_vars: attachmentsOfAddon(scene, addon.id)
      .filter((attachment) => attachment.app === addon.app)
      .flatMap((attachment) => Object.keys(attachedConfigVars(attachment.name, addon.config))),
    provider_id: addon.id,
    provision_message: addon.message === undefined ? null : nameProgram(addon.message, scene.program),
    state: stateView(addon),
    web_url: scene.webUrl(addon),
    created_at: addon.createdAt,
    updated_at: addon.updatedAt,
  };
}

/** Its config vars: those of a partner as its manifest names them, others by what follows the attachment's name. */
export function addonConfigView({ config, provider, prefix }: AddonRecord) {
  return Object.entries(config).map(([suffix, value]) => ({
    name: provider === 'partner' ? configVarName(prefix, suffix) : suffix,
    value,
  }));
}

/** AddOnAttachment. Fields of an add-on that is gone meanwhile are empty. @param scene has the add-on, and names of apps */
export function attachmentView(scene: AddonScene, attachment: AttachmentRecord) {
  const addon = scene.addons.find(({ id }) => id === attachment.addon);
  const app = appReference(scene, attachment.app);
  const service = addon?.service ?? '';
  return {
    id: attachment.id,
    name: attachment.name,
    addon: {
      id: attachment.addon,
      name: addon?.name ?? '',
      app: appReference(scene, addon?.app ?? attachment.app),
      plan: addon ? planReference(addon) : { id: '', name: '' },
    },
    addon_service: { id: service, name: service },
    app,
    config_vars: addon ? Object.keys(attachedConfigVars(attachment.name, addon.config)) : [],
    namespace: null,
    log_input_url: null,
    web_url: addon ? scene.webUrl(addon) : null,
    billing_entity: { ...app, type: 'app' },
    owner: OWNER,
    created_at: attachment.createdAt,
    updated_at: attachment.updatedAt,
  };
}

/** AddOnService, with `available` added: where it is false, the description says why. */
export function serviceView(service: ProvidedService) {
  return {
    id: service.name,
    name: service.name,
    human_name: service.humanName,
    description: service.missing ?? service.description,
    docs_url: service.docsUrl,
    available: service.missing === undefined,
    state: 'ga',
    cli_plugin_name: null,
    supports_multiple_installations: !service.isOnePerApp,
    supports_sharing: !service.isUnshared,
    created_at: BEGINNING,
    updated_at: BEGINNING,
  };
}

/** Plan. Nothing here has a price; the first plan of a service is its default. */
export function planView(service: CatalogService, plan: AddonPlan) {
  const name = `${service.name}:${plan.name}`;
  return {
    id: name,
    name,
    addon_service: { id: service.name, name: service.name },
    default: plan === service.plans[0],
    description: plan.description,
    human_name: `${plan.name}: ${plan.description}`,
    installable_inside_private_network: true,
    installable_outside_private_network: true,
    price: FREE_PRICE,
    space_default: false,
    state: 'ga',
    visible: true,
    created_at: BEGINNING,
    updated_at: BEGINNING,
  };
}

/** Services and plans have no beginning: the API's clients want one. */
const BEGINNING = new Date(0).toISOString();

function planReference({ service, plan }: AddonRecord) {
  const name = `${service}:${plan}`;
  return { id: name, name, price: FREE_PRICE };
}

function appReference({ appNames }: AddonScene, id: AppId) {
  return { id, name: appNames.get(id) ?? id };
}
