import { setFlagsFromString } from 'node:v8';

/*
 * A long run makes much garbage and keeps little. By default V8 collects it only when the heap has grown to a multiple of
 * what is kept, which is more than a pod should take. V8 looks at this flag at each collection, so it holds for a process
 * that is up already. The image also limits the nursery (`deploy/image`), which only works from the start.
 */
setFlagsFromString('--heap-growing-percent=20');
