import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CelInput } from '@bufbuild/cel';
import { run as evaluate } from '@bufbuild/cel';
import { Ajv } from 'ajv';
import { load } from 'js-yaml';
import type { LuaEngine } from 'wasmoon';
import { LuaFactory } from 'wasmoon';
import { ANNOTATION } from '../../shared/core/names.ts';
import { ROOT, snippetsOf } from '../snippets.ts';
import { run, stdinOf } from './plugin/harness.ts';

/*
 * The manifests of docs/gitops.md: against the schemas that Argo CD (3.2.1) and Flux (kustomize-controller 1.7.3) publish,
 * and, as those tools would run them, on Restores that a Velero 1.18.3 and runs have written on a real cluster.
 */

// biome-ignore lint/suspicious/noExplicitAny: manifests of others; a test says what it expects by reading it
type Loose = any;

const data = (name: string): Loose =>
  JSON.parse(readFileSync(path.join(ROOT, 'test/data/gitops', `${name}.json`), 'utf8'));

const manifest = (kind: string): Loose => {
  const found = snippetsOf('docs/gitops.md').filter(({ info }) => info === `yaml ${kind}`);
  assert.equal(found.length, 1, kind);
  return load(found[0]?.text ?? '');
};

/** A Restore as it was written, by what was known of it: Velero's phase, and that of the run. */
const written: readonly Loose[] = data('restores');
/** One in which Velero itself failed in part, and all hooks succeeded: put together from two that were written. */
const joined = ({ metadata }: Loose, half: Loose): Loose => ({
  ...half,
  metadata: { ...half.metadata, annotations: metadata.annotations },
});
const phasesOf = ({ metadata, status }: Loose) => ({
  velero: status?.phase as string | undefined,
  run: metadata.annotations?.[ANNOTATION.phase] as string | undefined,
});
const nameOf = (restore: Loose): string => {
  const { velero = 'not begun', run = 'no run' } = phasesOf(restore);
  return `${velero}, ${run}`;
};

const named = (name: string): Loose => written.find((restore) => nameOf(restore) === name);
const recorded = [...written, joined(named('Completed, Completed'), named('PartiallyFailed, no run'))];

/** Fields that a schema doesn't name are refused, as with kubectl's strict validation. */
function strict(schema: Loose): Loose {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(strict);
  const fields = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  const isClosed = schema.type === 'object' && typeof schema.properties?.type !== 'string' && schema.properties;
  return isClosed && schema.additionalProperties === undefined ? { ...fields, additionalProperties: false } : fields;
}

function problemsOf(name: string, object: Loose): string[] {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  const check = ajv.compile(strict({ ...data(name), properties: { ...data(name).properties, metadata: {} } }));
  return check(object) ? [] : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

describe('the manifests of docs/gitops.md', () => {
  const application = manifest('argo-cd-application');
  const kustomization = manifest('flux-kustomization');

  it('have the fields of the published schemas, and no others', () => {
    assert.deepEqual(problemsOf('argo-cd-application', application), []);
    assert.deepEqual(problemsOf('flux-kustomization', kustomization), []);
  });

  it('have a Restore in which lint finds nothing', async () => {
    const restores = snippetsOf('docs/gitops.md').filter(({ info }) => info === 'yaml');
    assert.equal(restores.length, 1);
    const { code, stdout, stderr } = await run(['lint', '-f', '-'], { stdin: stdinOf(restores[0]?.text ?? '') });
    assert.deepEqual([code, stdout, stderr], [0, '', 'nothing found\n']);
    assert.match(restores[0]?.text ?? '', /^kind: Restore$/m);
  });

  it('with another field would be refused', () => {
    const { spec } = application;
    const wrong = {
      ...application,
      spec: { ...spec, ignoreDifferences: [{ ...spec.ignoreDifferences[0], path: '/' }] },
    };
    assert.equal(problemsOf('argo-cd-application', wrong).length, 1);
    assert.equal(
      problemsOf('flux-kustomization', { ...kustomization, spec: { ...kustomization.spec, waits: 1 } }).length,
      1,
    );
  });

  it('are checked with Restores in every phase that counts', () => {
    const names = new Set(recorded.map(nameOf));
    for (const name of [
      'not begun, no run',
      'InProgress, no run',
      'Completed, no run',
      'FailedValidation, no run',
      'PartiallyFailed, no run',
      'Completed, Pending',
      'Completed, InProgress',
      'Completed, Completed',
      'Completed, CompletedWithFailures',
      'PartiallyFailed, PartiallyFailed',
      'PartiallyFailed, Completed',
      'Completed, Failed',
      'Completed, Canceled',
    ]) {
      assert.ok(names.has(name), `${name} is not among ${[...names].join('; ')}`);
    }
  });

  it('make Argo CD ignore all that a run writes on a Restore, and nothing else', () => {
    const [{ jsonPointers }] = application.spec.ignoreDifferences;
    const ours = Object.values(ANNOTATION).map((key) => `/metadata/annotations/${key.replace('/', '~1')}`);
    assert.deepEqual([...jsonPointers].sort(), [...ours, '/status'].sort());
  });
});

describe('the health of a Restore in Argo CD', () => {
  const script: string = manifest('argo-cd-health').data['resource.customizations.health.velero.io_Restore'];
  let lua: LuaEngine;
  before(async () => {
    lua = await new LuaFactory().createEngine();
  });
  after(() => lua.global.close());

  const healthOf = async (restore: Loose): Promise<{ status: string; message: string }> => {
    // As in Argo CD it is a table of Lua's own, not an object of JavaScript.
    await lua.doString(`obj = ${tableOf(restore)}`);
    return lua.doString(script);
  };

  for (const restore of recorded) {
    it(`is right: ${nameOf(restore)}`, async () => {
      const { status, message } = await healthOf(restore);
      const { velero, run } = phasesOf(restore);
      assert.equal(status, wanted(velero, run), message);
      assert.ok(message.length > 0 && !message.includes('nil'), message);
    });
  }
});

function wanted(velero: string | undefined, run: string | undefined): string {
  if (velero === 'Failed' || velero === 'FailedValidation') return 'Degraded';
  if (run === undefined) return velero === 'PartiallyFailed' ? 'Degraded' : 'Progressing';
  if (run === 'Pending' || run === 'InProgress') return 'Progressing';
  return velero === 'Completed' && /^Completed/.test(run) ? 'Healthy' : 'Degraded';
}

/** A value as Lua writes it. */
function tableOf(value: Loose): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'nil' : JSON.stringify(value);
  const entries = Array.isArray(value)
    ? value.map(tableOf)
    : Object.entries(value).map(([key, each]) => `[${JSON.stringify(key)}] = ${tableOf(each)}`);
  return `{${entries.join(', ')}}`;
}

describe('the health of a Restore in Flux', () => {
  const [{ inProgress, failed, current }] = manifest('flux-kustomization').spec.healthCheckExprs;

  /** In Flux's order; without an answer the object is in progress (RFC 0009 of Flux). */
  const healthOf = (restore: Loose): string => {
    for (const [status, expression] of Object.entries({ InProgress: inProgress, Failed: failed, Current: current })) {
      const answer = evaluate(expression as string, Object.fromEntries(mapOf(restore)));
      assert.equal(typeof answer, 'boolean', `${status}: ${String(answer)}`);
      if (answer === true) return status;
    }
    return 'InProgress';
  };

  for (const restore of recorded) {
    it(`is right: ${nameOf(restore)}`, () => {
      const { velero, run } = phasesOf(restore);
      // A Restore without a run is in progress, whatever Velero says: then its Job fails.
      const asInArgo = run === undefined ? 'Progressing' : wanted(velero, run);
      const inFlux: Readonly<Record<string, string>> = {
        Healthy: 'Current',
        Degraded: 'Failed',
        Progressing: 'InProgress',
      };
      assert.equal(healthOf(restore), inFlux[asInArgo]);
    });
  }
});

const mapOf = (object: Loose): Map<string, CelInput> =>
  new Map(Object.entries(object).map(([key, value]) => [key, celOf(value)]));
const celOf = (value: Loose): CelInput => {
  if (Array.isArray(value)) return value.map(celOf);
  return typeof value === 'object' && value !== null ? mapOf(value) : value;
};
