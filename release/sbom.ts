import { createHash } from 'node:crypto';
import process from 'node:process';
import { VERSION } from '../shared/core/version.ts';
import type { DebianPackage } from './image.ts';
import type { NodeBinary } from './node-binaries.ts';
import type { BundledPackage } from './packages.ts';
import { PINS } from './pins.ts';

/** A component as CycloneDX 1.6 writes it. */
export interface Component {
  readonly type: 'application' | 'library' | 'container';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly group?: string;
  readonly purl?: string;
  readonly cpe?: string;
  readonly licenses: readonly object[];
  readonly hashes?: readonly { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string }[];
  readonly components?: readonly Component[];
}

/** An expression such as `MIT OR Apache-2.0` is no id. */
const licences = (licence: string): readonly object[] =>
  / (?:AND|OR|WITH) /.test(licence) ? [{ expression: licence }] : [{ license: { id: licence } }];

export function npmComponent({ name, version, licence, sha512 }: BundledPackage): Component {
  const [scope, inner] = name.startsWith('@') ? name.split('/') : [undefined, name];
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    type: 'library',
    'bom-ref': purl,
    ...(scope !== undefined && { group: scope }),
    name: inner ?? name,
    version,
    purl,
    licenses: licences(licence),
    hashes: [{ alg: 'SHA-512', content: sha512 }],
  };
}

const IN_NODE = "in Node.js' own LICENSE";

/** Node, with the libraries that are built into it, as it names them itself. This is the same for each architecture. */
export function nodeComponent(...binaries: readonly NodeBinary[]): Component {
  const { version } = PINS.node;
  const built = Object.entries(process.versions).filter(([name]) => !['node', 'modules', 'napi'].includes(name));
  return {
    type: 'application',
    'bom-ref': `node@${version}`,
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    licenses: [{ license: { id: 'MIT' } }],
    hashes: binaries.slice(0, 1).map(({ sha512 }) => ({ alg: 'SHA-512', content: sha512 })),
    components: built.map(([name, its = '']) => ({
      type: 'library',
      'bom-ref': `node@${version}/${name}`,
      name,
      version: its,
      licenses: [{ license: { name: IN_NODE } }],
    })),
  };
}

export function debianComponent({ name, version, licence, arch, sha256 }: DebianPackage): Component {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}&distro=debian-12`;
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    licenses: licences(licence),
    hashes: [{ alg: 'SHA-256', content: sha256 }],
  };
}

/** An SBOM in CycloneDX 1.6 (R9.15). It has no time and no random number: the same artefact has the same SBOM. */
export function sbom(type: Component['type'], name: string, components: readonly Component[], purl?: string): string {
  const ref = `${name}@${VERSION}`;
  const subject: Component = {
    type,
    'bom-ref': ref,
    name,
    version: VERSION,
    ...(purl !== undefined && { purl }),
    licenses: licences('Apache-2.0'),
  };
  const document = {
    metadata: { component: subject },
    components,
    dependencies: [
      { ref, dependsOn: components.map((component) => component['bom-ref']) },
      ...components.map((component) => ({ ref: component['bom-ref'] })),
    ],
  };
  const head = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(document))}`,
    version: 1,
  };
  return `${JSON.stringify({ ...head, ...document }, null, 2)}\n`;
}

/** A UUID of version 8, made of a hash of the text. */
function uuidOf(text: string): string {
  const hash = createHash('sha256').update(text).digest('hex');
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join('-');
}
