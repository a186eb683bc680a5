export const VERSION = '0.1.0';
/** The runner's image that `apply` launches and `npm run image` makes. */
export const DEFAULT_IMAGE = `docker.io/restorehooks/runner:v${VERSION}`;
