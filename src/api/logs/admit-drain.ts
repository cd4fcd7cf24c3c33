/** What an address has to pass before lines go there: of a drain that is added, or led elsewhere. */
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { DrainOptions } from '../../logs/drains/options/drain-options.ts';
import {
  type DrainRecord,
  drainSecrets,
  parseDrainUrl,
  trimDrainUrl,
} from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import type { AppId } from '../../logs/store/contract.ts';

/** What an admission asks. */
export interface DrainAdmission {
  readonly appRegistry: AppRegistry;
  /** Where drains may point. */
  readonly targetPolicy: TargetPolicy;
}

/**
 * The address and the options of a drain of an app, as they are kept.
 * @param given the address as somebody wrote it
 * @param readOptions for that address
 * @throws TailraceError `invalid_params`, with what is wrong with them
 */
export async function admitDrain(
  { appRegistry, targetPolicy }: DrainAdmission,
  app: AppId,
  given: string,
  readOptions: (url: URL) => DrainOptions,
): Promise<{ readonly url: string; readonly options: DrainOptions }> {
  const url = trimDrainUrl(given);
  const target = parseDrainUrl(url);
  const options = readOptions(target.url);
  await targetPolicy.assertAllowedHost(target.host);
  await rejectLoop(appRegistry, app, { url, options });
  return { url, options };
}

/**
 * A drain that shows a token of its own app would send the app's lines back to it, again and again, until they fill the stream.
 * @throws TailraceError `invalid_params` for one
 */
export async function rejectLoop(
  appRegistry: AppRegistry,
  app: AppId,
  drain: Pick<DrainRecord, 'url' | 'options'>,
): Promise<void> {
  const secrets = drainSecrets(drain);
  const tokens = await appRegistry.listTokens(app);
  const own = tokens.find(({ token }) => secrets.includes(token));
  if (own)
    throw new TailraceError(
      'invalid_params',
      `This drain would send the app's lines back to the app, without end: it shows the app's own token of the source ${own.source}.`,
    );
}
