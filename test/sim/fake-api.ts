import { RestoreHooksError } from '../../shared/core/errors.ts';
import { refusedByServer } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { unreachable } from '../../shared/kubernetes/api/unreachable.ts';
import { jsonPatch, mergePatch } from '../embedded/patch.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type FakeClient = Pick<KubeClient, 'get' | 'listAll' | 'create' | 'patch' | 'delete'>;
const SERVER = new URL('https://sim');

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** What becomes of one request. */
export type Fate =
  | 'answered'
  /** Never arrives; the client sees a broken connection. */
  | 'lost-before'
  /** Is carried out, and the answer is lost. */
  | 'lost-after'
  /** The client sees a broken connection, and only then it is carried out. */
  | 'late'
  /** An overloaded server refuses it. */
  | 'refused';

/** An API server in memory under a virtual clock: objects by path, versions, merge and JSON patches, and bad days. */
export class FakeApi {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #objects = new Map<string, KubeObject>();
  readonly latencyMs: number;
  readonly #trouble: number;
  #version = 0;
  /** Told of every object that was written, as it stands. */
  written: (path: string, object: KubeObject) => void = () => undefined;
  /** What an object becomes that is to be created, before it is known whether its name is taken; or it is refused. */
  admit: (path: string, object: KubeObject, isDryRun: boolean) => KubeObject = (_path, object) => object;
  /** What a deletion does: by default the object is gone. */
  deleted: (path: string, object: KubeObject) => void = (path) => this.remove(path);
  /** From then on everything is answered. */
  calmAt = Number.POSITIVE_INFINITY;

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.latencyMs = random.pick([0, 5, 50, 400]);
    this.#trouble = random.pick([0, 0, 0.05, 0.3]);
  }

  /** Some requests fail. */
  get isTroubled(): boolean {
    return this.#trouble > 0;
  }

  read(path: string): KubeObject | undefined {
    return this.#objects.get(path);
  }

  put(path: string, object: KubeObject): KubeObject {
    this.#version += 1;
    const metadata = { ...(object['metadata'] as Metadata), resourceVersion: String(this.#version) };
    const stored = { ...object, metadata };
    this.#objects.set(path, stored);
    this.written(path, stored);
    return stored;
  }

  remove(path: string): void {
    this.#objects.delete(path);
  }

  /** As one process sees it. `isAlive`: a dead one hears nothing; `about`: before and after each request. */
  client(isAlive: () => boolean, about: (when: 'before' | 'done' | 'after', what: string) => void): FakeClient {
    return this.#client(isAlive, about, false);
  }

  /** As somebody sees it whom nothing ever happens to. */
  get calm(): FakeClient {
    return this.#client(
      () => true,
      () => undefined,
      true,
    );
  }

  #client(
    isAlive: () => boolean,
    about: (when: 'before' | 'done' | 'after', what: string) => void,
    isCalm: boolean,
  ): FakeClient {
    const request = (what: string, work: () => KubeObject): Promise<KubeObject> =>
      new Promise((resolve, reject) => {
        const then = (ms: number, happen: () => void): void => {
          if (ms === 0) happen();
          else this.#clock.setTimer(ms, happen);
        };
        const latency = (): number => (isCalm || this.latencyMs === 0 ? 0 : this.#random.time(this.latencyMs));
        const answer = (give: () => void): void =>
          then(latency(), () => {
            if (!isAlive()) return;
            give();
            about('after', what);
          });
        const broken = () => reject(unreachable(SERVER, { code: 'ECONNRESET' }));
        if (!isAlive()) return;
        about('before', what);
        if (!isAlive()) return;
        const fate = isCalm ? 'answered' : this.#fate();
        if (fate === 'lost-before') return answer(broken);
        if (fate === 'refused') return answer(() => reject(refusal(503, 'ServiceUnavailable', 'busy')));
        if (fate === 'late') {
          answer(broken);
          this.#clock.setTimer(1 + this.#random.time(3_000), () => {
            try {
              work();
            } catch (error) {
              if (!(error instanceof RestoreHooksError)) throw error;
            }
          });
          return;
        }
        then(latency(), () => {
          let outcome: KubeObject | RestoreHooksError;
          try {
            outcome = work();
          } catch (error) {
            if (!(error instanceof RestoreHooksError)) throw error;
            outcome = error;
          }
          about('done', what);
          if (!isAlive()) return;
          if (fate === 'lost-after') answer(broken);
          else answer(() => (outcome instanceof RestoreHooksError ? reject(outcome) : resolve(outcome)));
        });
      });
    return {
      get: (path) => request(`get ${path}`, () => this.#get(path)),
      listAll: (path, { labelSelector = '', fieldSelector = '' } = {}) => {
        const list = () => ({ items: this.#list(path, `${labelSelector}`, `${fieldSelector}`) });
        return request(`list ${path}`, list).then(({ items }) => ({
          items: items as KubeObject[],
          resourceVersion: '',
        }));
      },
      create: (path, object, { dryRun = false } = {}) =>
        request(`${dryRun ? 'check' : 'create'} ${path}`, () => this.#create(path, object as KubeObject, dryRun)),
      delete: (path, { uid } = {}) => request(`delete ${path}`, () => this.#delete(path, uid)),
      patch: (path, body, type) => request(`patch ${path}`, () => this.#patch(path, body, type)),
    };
  }

  #fate(): Fate {
    if (this.#clock.now() >= this.calmAt || !this.#random.chance(this.#trouble)) return 'answered';
    return this.#random.pick(['lost-before', 'lost-after', 'late', 'refused']);
  }

  #get(path: string): KubeObject {
    const object = this.#objects.get(path);
    if (object === undefined) throw refusal(404, 'NotFound', `${path} not found`, path);
    return object;
  }

  /** Selectors are no more than `key=value,…`. */
  #list(at: string, labelSelector: string, fieldSelector: string): KubeObject[] {
    const pairs = (selector: string) =>
      selector === '' ? [] : selector.split(',').map((each) => each.split('=') as [string, string]);
    const isSelected = (object: KubeObject): boolean => {
      const { labels = {} } = object['metadata'] as { labels?: Record<string, string> };
      return (
        pairs(labelSelector).every(([key, value]) => labels[key] === value) &&
        pairs(fieldSelector).every(([key, value]) => object[key] === value)
      );
    };
    const own = [...this.#objects].filter(([path]) => path.slice(0, path.lastIndexOf('/')) === at);
    return own.map(([, object]) => object).filter(isSelected);
  }

  #create(at: string, object: KubeObject, isDryRun: boolean): KubeObject {
    const path = `${at}/${(object['metadata'] as Metadata).name}`;
    const admitted = this.admit(path, object, isDryRun);
    if (this.#objects.has(path)) throw refusal(409, 'AlreadyExists', `${path} already exists`, path);
    return isDryRun ? admitted : this.put(path, admitted);
  }

  #delete(path: string, uid: string | undefined): KubeObject {
    const object = this.#get(path);
    if (uid !== undefined && (object['metadata'] as Metadata).uid !== uid) {
      throw refusal(409, 'Conflict', `the UID in the precondition (${uid}) does not match`, path);
    }
    this.deleted(path, object);
    return object;
  }

  #patch(path: string, body: unknown, type: string): KubeObject {
    const current = this.#get(path);
    const { resourceVersion } = current['metadata'] as Metadata;
    let next: KubeObject;
    try {
      next = (type === 'json' ? jsonPatch : mergePatch)(current, JSON.stringify(body)) as KubeObject;
    } catch {
      throw refusal(422, 'Invalid', 'the server rejected our request due to an error in our request', path);
    }
    if ((next['metadata'] as Metadata).resourceVersion !== resourceVersion) {
      throw refusal(409, 'Conflict', `${path} has been modified`, path);
    }
    if (current['immutable'] === true) throw refusal(422, 'Invalid', 'field is immutable', path);
    return this.put(path, next);
  }
}

export function refusal(code: number, reason: string, message: string, name = ''): RestoreHooksError {
  const body = JSON.stringify({ kind: 'Status', code, reason, message, details: { name: name.split('/').at(-1) } });
  return refusedByServer({ status: code, body, server: SERVER, request: `sim ${name}` });
}
