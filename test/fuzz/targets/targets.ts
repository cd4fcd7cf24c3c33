import type { FuzzTarget } from '../engine/fuzz-target.ts';
import { BODY_TARGETS } from './bodies.ts';
import { HTTP_TARGETS } from './http.ts';
import { STORE_TARGETS } from './store.ts';
import { SYSLOG_TARGETS } from './syslog.ts';
import { TEXT_TARGETS } from './text.ts';

/** Every reader of bytes that come from outside, or that a disk may have changed. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...SYSLOG_TARGETS,
  ...BODY_TARGETS,
  ...HTTP_TARGETS,
  ...TEXT_TARGETS,
  ...STORE_TARGETS,
];
