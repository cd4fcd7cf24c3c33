/** Reads the viewer's settings: a flag takes precedence over its environment variable, that one over the default. */

import { requireNetworks } from '../../../src/common/config/setting-readers.ts';
import {
  defaultDataFolder,
  readSettingRows,
  readSettings,
  rejectUnknownVariables,
  type Settings,
  type SettingTexts,
  type SettingValues,
} from '../../../src/common/config/settings.ts';
import { TailraceError } from '../../../src/common/errors.ts';
import { TrustedProxies } from '../../../src/common/http/trusted-proxies.ts';
import { flagOf, VIEWER_SETTINGS } from './settings-table.ts';

/** The table's values, and what is made of them. */
export interface ViewerSettings extends Omit<SettingValues<typeof VIEWER_SETTINGS>, 'trustProxy'> {
  /** Undefined: nobody is believed who sends. */
  readonly trustedProxies: TrustedProxies | undefined;
}

/** Read by the command `search`, not by the server. */
const CLIENT_VARIABLES = ['VIEWER_URL', 'VIEWER_KEY'];
/** A stream as it came is bounded by its bytes and age: what isn't packed yet stays all the same, and what is packed is in parts. */
const UNBOUNDED_LINES = 1_000_000_000;
const STREAM_AGE_MS = 86_400_000;

/**
 * @param flags texts by the names of variables
 * @throws TailraceError `settings` for a value that can't be read, or a `VIEWER_…` name that doesn't exist
 */
export function readViewerSettings(environment: SettingTexts, flags: SettingTexts = {}): ViewerSettings {
  rejectUnknownVariables(environment, 'VIEWER_', VIEWER_SETTINGS, CLIENT_VARIABLES);
  const given = Object.fromEntries(Object.entries(flags).filter(([, text]) => text !== undefined));
  const nameOf = (variable: string): string => (variable in given ? flagOf(variable) : variable);
  const { trustProxy, ...settings } = readSettingRows(
    VIEWER_SETTINGS,
    { ...environment, ...given },
    { data: defaultDataFolder(environment, 'tailrace-viewer') },
    nameOf,
  );
  if ((settings.tlsCert === '') !== (settings.tlsKey === ''))
    throw new TailraceError(
      'settings',
      'TLS needs both VIEWER_TLS_CERT and VIEWER_TLS_KEY: set the other one too.',
    );
  if (settings.apiKey !== '' && settings.apiKey.length < 20)
    throw new TailraceError(
      'settings',
      'VIEWER_API_KEY must have 20 characters or more: it may do everything.',
    );
  if (settings.groupToken !== '' && !/^t\.[\w-]{16,64}$/.test(settings.groupToken))
    throw new TailraceError(
      'settings',
      'VIEWER_TOKEN must be t. and 16 to 64 letters, digits, dashes or underscores.',
    );
  const name = nameOf(VIEWER_SETTINGS.trustProxy.variable);
  return { ...settings, trustedProxies: readTrustedProxies(name, trustProxy) };
}

function readTrustedProxies(name: string, text: string): TrustedProxies | undefined {
  if (/^(?:yes|on|true|1)$/i.test(text)) return TrustedProxies.oneInFront();
  if (/^(?:no|off|false|0|none)$/i.test(text)) return undefined;
  return new TrustedProxies(requireNetworks(name, text, 'yes, no, or '));
}

/** What the parts of the log router are opened with. */
export function logRouterSettings(settings: ViewerSettings): Settings {
  const { tlsCert, tlsKey, trustedProxies: _proxies, ...same } = settings;
  const defaults = readSettings({}, { data: settings.data, allowPrivateDrains: 'yes', dynoMemory: 'none' });
  return {
    ...defaults,
    ...same,
    syslogTlsCert: tlsCert,
    syslogTlsKey: tlsKey,
    streamLines: UNBOUNDED_LINES,
    streamAgeMs: STREAM_AGE_MS,
  };
}
