import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from 'js-yaml';
import { renderView } from '../../../../plugin/output/render.ts';
import { sanitizeText } from '../../../../shared/core/sanitize.ts';

const BAD = '\x1b[31mred\x1b[0m \x9b1mbold \x1b]0;title\x07\u202etxt\x07\x00';

describe('renderView', () => {
  it('keeps the value of text in JSON and YAML, and nothing that a terminal would act on', async () => {
    const document = { text: BAD, [BAD]: ['\u2028', '\x7f\x85\ufeff'] };
    const view = { kind: 'document', document, human: [] } as const;
    const json = await renderView(view, 'json', false);
    const yaml = await renderView(view, 'yaml', false);
    assert.deepEqual(JSON.parse(json), document);
    assert.deepEqual(load(yaml), document);
    for (const text of [json, yaml]) assert.equal(sanitizeText(text), text);
  });

  it('prints manifests as YAML documents, and as one List in JSON', async () => {
    const view = { kind: 'manifests', manifests: [{ a: 1 }, { b: 2 }] } as const;
    assert.equal(await renderView(view, 'table', false), 'a: 1\n---\nb: 2\n');
    assert.deepEqual(JSON.parse(await renderView(view, 'json', false)), {
      apiVersion: 'v1',
      kind: 'List',
      items: [{ a: 1 }, { b: 2 }],
    });
  });

  it('names manifests as kubectl does', async () => {
    const of = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: 'x' } });
    const view = { kind: 'manifests', manifests: [of('v1', 'Secret'), of('batch/v1', 'Job')] } as const;
    assert.equal(await renderView(view, 'name', false), 'secret/x\njob.batch/x\n');
  });
});
