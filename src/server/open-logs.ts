import { addonFolder, findServerId } from '../apps/host/addons/server-id.ts';
import { AppRegistry } from '../apps/records/app-registry.ts';
import { Closers } from '../common/closers.ts';
import { VERSION } from '../common/package-info.ts';
import { type LogCore, openLogCore } from '../logs/composition/open-log-core.ts';
import { DrainSupervisor } from '../logs/drains/drain-supervisor.ts';
import { TargetPolicy } from '../logs/drains/options/target-policy.ts';
import { renumberStreams } from '../logs/drains/progress/renumber-streams.ts';
import { OutletFactory } from '../logs/drains/sinks/outlet-factory.ts';
import { PlatformLinePriority } from '../logs/router/platform-log.ts';
import { type SyslogListeners, startSyslogListeners } from '../logs/sources/syslog/syslog-listeners.ts';
import type { ServerContext } from './server-context.ts';
import { GRACE_MS, HANDOVER_GRACE_MS } from './shutdown.ts';

/** The log router: store, sources over syslog, drains. */
export interface Logs extends LogCore {
  readonly drains: DrainSupervisor;
  readonly targetPolicy: TargetPolicy;
  readonly outlets: OutletFactory;
  readonly syslog: SyslogListeners;
  readonly appRegistry: AppRegistry;
  close(): Promise<void>;
}

/** Opens the log router; what is open already is closed when that fails. @throws TailraceError when a port is taken, or the store can't be used */
export async function openLogs({ settings, log, certificates, handover }: ServerContext): Promise<Logs> {
  const closers = new Closers();
  const close = (): Promise<void> => closers.close();
  try {
    const core = await openLogCore(
      settings,
      log,
      (store) => {
        const appRegistry = new AppRegistry(store);
        return { appRegistry, appName: async (app) => (await appRegistry.findApp(app))?.name };
      },
      { prepare: renumberStreams },
    );
    closers.add(core.close);
    const { store, readers, router, platformLog, metrics, appName, appRegistry } = core;
    const targetPolicy = new TargetPolicy(settings.allowPrivateDrains);
    const outlets = new OutletFactory(targetPolicy, VERSION);
    const drains = new DrainSupervisor({
      store,
      readers,
      outlets,
      version: VERSION,
      serverId: () => findServerId(addonFolder(settings.data)),
      logToApp: (app, kind, message) =>
        platformLog.write(app, 'heroku', 'logplex', PlatformLinePriority[kind], message),
      log: log.child({ area: 'drains' }),
    });
    closers.add(() => drains.close(handover.routerLine ? HANDOVER_GRACE_MS : GRACE_MS));
    await drains.reconcile();
    const syslog = await startSyslogListeners({
      settings,
      store,
      router,
      appName,
      logToApp: (app, message) =>
        platformLog.write(app, 'heroku', 'logplex', PlatformLinePriority.loss, message),
      certificates,
      log: log.child({ area: 'sources' }),
    });
    closers.add(() => syslog.close());
    return {
      store,
      readers,
      router,
      platformLog,
      metrics,
      drains,
      targetPolicy,
      outlets,
      syslog,
      appRegistry,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
