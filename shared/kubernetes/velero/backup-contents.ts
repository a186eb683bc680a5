import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { getCACertificates } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { KubeClient } from '../api/client.ts';
import { send } from '../api/http.ts';
import { paths } from '../api/paths.ts';
import { createAgent } from '../connect/connection.ts';
import { getBackup } from './backups.ts';

export interface DownloadOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly insecureSkipTlsVerify?: boolean;
  /** Certificates to trust besides those of the system. */
  readonly caFile?: string | undefined;
  /** How long Velero may take to answer (1 minute, as with Velero's own client). */
  readonly waitMs?: number;
  /** Called before the first byte, with the size of the download in bytes if the object store tells it. */
  readonly onSize?: (bytes: number | undefined) => void;
}

type Client = Pick<KubeClient, 'get' | 'create'>;

/** The archive of a Backup, from the cluster's Velero (R1.18). */
export async function backupContents(
  client: Client,
  namespace: string,
  backup: string,
  options: DownloadOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const { spec } = await getBackup(client, namespace, backup);
  return veleroFile(client, namespace, { kind: 'BackupContents', name: backup }, spec?.storageLocation, options);
}

/** A file that Velero has written about an object. */
export interface VeleroFile {
  readonly kind: 'BackupContents' | 'BackupResourceList' | 'BackupVolumeInfos' | 'RestoreResults';
  readonly name: string;
}

/** Such as `Backup nightly`. */
const objectOf = ({ kind, name }: VeleroFile): string => `${kind.startsWith('Restore') ? 'Restore' : 'Backup'} ${name}`;

/**
 * A file from Velero's object store. Velero answers a DownloadRequest with a URL that is valid for ten minutes, during which
 * it is a secret, and deletes the request by itself.
 */
export async function veleroFile(
  client: Client,
  namespace: string,
  file: VeleroFile,
  location: string | null | undefined,
  options: DownloadOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const ca = await trusted(client, namespace, location, options);
  const url = await downloadUrl(client, namespace, file, options);
  return download(url, objectOf(file), ca, options);
}

/** The JSON of a file that Velero has compressed. */
export async function jsonOf(file: AsyncIterable<Uint8Array>, { kind, name }: VeleroFile): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file) chunks.push(chunk);
  try {
    return JSON.parse(gunzipSync(Buffer.concat(chunks), { maxOutputLength: LARGEST_JSON }).toString('utf8'));
  } catch (error) {
    const message = `Velero's ${kind} of ${name} can't be read: it is no compressed JSON`;
    throw new RestoreHooksError('INVALID_INPUT', message, { cause: error });
  }
}

const LARGEST_JSON = 256 * 1024 * 1024;

const Location = z.object({ spec: z.object({ objectStorage: z.object({ caCert: z.base64() }) }) });

/** The certificates to trust, as Velero's client does: those of the flag, else those of the Backup's location. */
async function trusted(
  client: Client,
  namespace: string,
  location: string | null | undefined,
  { caFile, insecureSkipTlsVerify }: DownloadOptions,
): Promise<string | undefined> {
  if (caFile !== undefined) {
    const text = await readFile(caFile, 'utf8').catch((error: unknown) => {
      throw new RestoreHooksError('INVALID_INPUT', `--backup-cacert ${caFile} can't be read`, { cause: error });
    });
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
    throw new RestoreHooksError('INVALID_INPUT', `--backup-cacert ${caFile}: no certificate in it, expected PEM`);
  }
  if (insecureSkipTlsVerify || !location) return undefined;
  const found = await client.get(paths.backupStorageLocations(namespace, location)).catch(() => undefined);
  const { data } = Location.safeParse(found);
  return data && Buffer.from(data.spec.objectStorage.caCert, 'base64').toString('utf8');
}

const DownloadRequest = z.object({ status: z.object({ downloadURL: z.string().nullish() }).nullish() });
const askEveryMs = 100;

async function downloadUrl(
  client: Client,
  namespace: string,
  file: VeleroFile,
  { signal, waitMs = 60_000 }: DownloadOptions,
): Promise<URL> {
  const name = `${file.name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}-${randomUUID()}`;
  await client.create(paths.downloadRequests(namespace), {
    apiVersion: 'velero.io/v1',
    kind: 'DownloadRequest',
    metadata: { name, namespace },
    spec: { target: file },
  });
  const deadline = performance.now() + waitMs;
  for (;;) {
    const { status } = DownloadRequest.parse(await client.get(paths.downloadRequests(namespace, name)));
    if (status?.downloadURL) return parseUrl(status.downloadURL);
    if (performance.now() >= deadline) {
      throw new RestoreHooksError(
        'CLUSTER_UNREACHABLE',
        `Velero in namespace ${namespace} has not answered the DownloadRequest for ${objectOf(file)} within ${waitMs / 1000}s`,
        {
          hint: `is its server running, and the Backup's location available? kubectl get deployment,backupstoragelocations.velero.io -n ${namespace}`,
        },
      );
    }
    await delay(askEveryMs, undefined, signal && { signal });
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new RestoreHooksError('CLUSTER_UNREACHABLE', "Velero's answer to the DownloadRequest is no http(s) URL");
}

const maxRedirects = 5;
const silenceMs = 75_000;

/** No message contains the URL: whoever has it can download the backup. `of`: the object that the file is about. */
async function* download(
  first: URL,
  of: string,
  ca: string | undefined,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    const { answer, close } = await fetchFrom(url, ca, options);
    try {
      const { statusCode = 0, headers } = answer;
      if (statusCode === 200) {
        options.onSize?.(Number(headers['content-length']) || undefined);
        yield* whole(answer, url, of);
        return;
      }
      if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) {
        throw refused(url, statusCode, await beginning(answer), of);
      }
      const next = URL.parse(headers.location, url.href);
      const isWorse = url.protocol === 'https:' && next?.protocol !== 'https:';
      if (redirects >= maxRedirects || next === null || isWorse || !/^https?:$/.test(next.protocol)) {
        throw unreadableDownload(
          url,
          redirects >= maxRedirects ? 'redirects too often' : 'redirects to no http(s) address',
        );
      }
      url = next;
    } finally {
      close();
    }
  }
}

async function fetchFrom(
  url: URL,
  ca: string | undefined,
  { env, signal, insecureSkipTlsVerify = false }: DownloadOptions,
): Promise<{ answer: IncomingMessage; close: () => void }> {
  const tls =
    url.protocol === 'http:'
      ? {}
      : insecureSkipTlsVerify
        ? { rejectUnauthorized: false }
        : { ca: [...getCACertificates('default'), ...getCACertificates('system'), ...(ca === undefined ? [] : [ca])] };
  const cluster = { name: 'the object store', server: url.origin, skipTLSVerify: insecureSkipTlsVerify };
  const agent = await createAgent({ cluster, env }, tls);
  const close = (): void => agent.destroy();
  try {
    const path = `${url.pathname}${url.search}`;
    // Without this header some object stores unpack the archive.
    const request = { method: 'GET', path, headers: { 'accept-encoding': 'gzip' } } as const;
    const server = new URL(url.origin);
    return { answer: await send({ server, headers: {}, agent, tls }, request, { silenceMs }, signal), close };
  } catch (error) {
    close();
    throw unreachable(url, error);
  }
}

async function* whole(answer: IncomingMessage, url: URL, of: string): AsyncGenerator<Uint8Array> {
  try {
    yield* answer;
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    const message = `the download of ${of} from ${url.host} broke off`;
    throw new RestoreHooksError('CLUSTER_UNREACHABLE', message, { hint: 'try again in a moment', cause: error });
  }
}

const maxRefusal = 16 * 1024;

async function beginning(answer: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of answer) {
      text += chunk.toString('utf8');
      if (text.length > maxRefusal) break;
    }
  } catch {
    // The connection broke: use what has been read.
  }
  return text;
}

/** Only the code and the message of an object store's XML: the rest quotes the request, with its signature. */
function refused(url: URL, status: number, body: string, of: string): RestoreHooksError {
  const said = ['Code', 'Message']
    .flatMap((tag) => new RegExp(`<${tag}>([^<]{1,200})</${tag}>`).exec(body)?.[1] ?? [])
    .map((text) => text.replaceAll(/https?:\S+/g, '…'))
    .join(': ');
  const message = `the object store at ${url.host} answered HTTP ${status} for ${of}${said && ` (${said})`}`;
  if (status === 404) {
    return new RestoreHooksError('NOT_FOUND', message, {
      hint: 'its contents are missing: check that the backup was completed and has not been deleted',
    });
  }
  if (status === 401 || status === 403) {
    return new RestoreHooksError('FORBIDDEN', message, {
      hint: "Velero's credentials for the object store, or a clock that is off, are the usual reasons",
    });
  }
  return new RestoreHooksError('CLUSTER_UNREACHABLE', message, { hint: 'try again in a moment' });
}

const unreadableDownload = (url: URL, what: string): RestoreHooksError =>
  new RestoreHooksError('CLUSTER_UNREACHABLE', `the object store at ${url.host} ${what}`);

function unreachable(url: URL, error: unknown): unknown {
  if (error instanceof RestoreHooksError) return error;
  const { code = '', name = '', message = '' } = (error ?? {}) as { code?: string; name?: string; message?: string };
  if (name === 'AbortError') return error;
  const [why, hint] = explain(code, message, url);
  return new RestoreHooksError('CLUSTER_UNREACHABLE', `the object store at ${url.host} can't be reached: ${why}`, {
    hint,
    cause: error,
  });
}

function explain(code: string, message: string, url: URL): [why: string, hint: string] {
  const address = 'if this address works only inside the cluster, set publicUrl in the BackupStorageLocation';
  const trust =
    'give its certificates with --backup-cacert FILE, or leave them unchecked with --backup-insecure-skip-tls-verify';
  if (code === 'CERT_HAS_EXPIRED') return ['its certificate has expired', trust];
  if (/CERT|SIGNATURE|ISSUER/.test(code)) return [`its certificate is not trusted (${code})`, trust];
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return [`no such host ${url.hostname}`, address];
  if (code === 'ECONNREFUSED') return ['connection refused', address];
  return [code || (/^no(?:thing| connection)/.test(message) ? message : 'unknown reason'), address];
}
