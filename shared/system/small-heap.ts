import { setFlagsFromString } from 'node:v8';

/*
 * A long run makes much garbage and keeps little. By default V8 collects it only when the heap has grown to a multiple of
 * that, which is faster, and more than a pod should take. This module comes first: V8 looks at these flags at each
 * collection, so they also hold for a process that is up already.
 */
setFlagsFromString('--optimize-for-size');
/** The nursery stays as small as it is at the start: 1 MiB, not 16. */
setFlagsFromString('--semi-space-growth-factor=1');
