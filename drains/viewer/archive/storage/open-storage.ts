import { isAbsolute, resolve } from 'node:path';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { ArchiveStorage } from './archive-storage.ts';
import { FolderStorage } from './folder-storage.ts';
import { S3Storage } from './s3-storage.ts';

/** What a bucket may be called, and the folder in it. */
const PLACE = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const REGION = 'us-east-1';

/** Of the environment, what AWS' own tools read. */
export interface S3Environment {
  readonly AWS_ACCESS_KEY_ID?: string;
  readonly AWS_SECRET_ACCESS_KEY?: string;
  readonly AWS_REGION?: string;
  readonly AWS_DEFAULT_REGION?: string;
  readonly AWS_ENDPOINT_URL?: string;
  readonly AWS_ENDPOINT_URL_S3?: string;
}

/**
 * Opens where archives go: a folder, or `s3://bucket/folder`, with `?endpoint=https://…&region=…` for others than AWS.
 * @throws TailraceError `settings` with a sentence that says what is missing.
 */
export function openArchiveStorage(place: string, env: S3Environment): ArchiveStorage {
  if (!place.startsWith('s3:')) {
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(place))
      throw wrong('takes a folder, or s3://bucket/folder for S3 and what speaks its protocol');
    return new FolderStorage(isAbsolute(place) ? place : resolve(place));
  }
  const [, bucket, path = '', query = ''] = PLACE.exec(place) ?? [];
  if (bucket === undefined) throw wrong('takes s3://bucket/folder, the bucket in small letters and digits');
  const options = new URLSearchParams(query);
  const unknown = [...options.keys()].find((name) => name !== 'endpoint' && name !== 'region');
  if (unknown !== undefined)
    throw wrong(
      `takes ?endpoint= and ?region= behind s3://bucket/folder; keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    );
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (!accessKeyId || !secretAccessKey)
    throw wrong('names a bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as well');
  const region = options.get('region') || env.AWS_REGION || env.AWS_DEFAULT_REGION || REGION;
  const endpoint =
    options.get('endpoint') ||
    env.AWS_ENDPOINT_URL_S3 ||
    env.AWS_ENDPOINT_URL ||
    `https://s3.${region}.amazonaws.com`;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw wrong('has an endpoint that is no address: write endpoint=https://host');
  const { username, password } = new URL(endpoint);
  if (username || password)
    throw wrong(
      'has a password in its endpoint: keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  const prefix = path.split('/').filter(Boolean).join('/');
  return new S3Storage({ endpoint, region, bucket, prefix, accessKeyId, secretAccessKey });
}

function wrong(why: string): TailraceError {
  return new TailraceError('settings', `VIEWER_ARCHIVE ${why}.`);
}
