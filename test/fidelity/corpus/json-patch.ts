import type { Case, Scene } from '../corpus.ts';
import { configMap, core, pod, restore, velero } from '../corpus.ts';

const given = [
  configMap(
    'a',
    { x: '1', special: '<from-annotation> & "q" \\ \u2028\u2029 é 😀 \u007f \t', long: 'x'.repeat(3000), empty: '' },
    { annotations: { 'restorehooks.io/status': '{"id":"<from-annotation>"}', n: '1' }, labels: { l: '1' } },
  ),
];
const r = restore('r', {
  spec: { backupName: 'b', list: [1, 2, 3], nested: { a: 1, b: [{ c: null }] }, float: 1.5, whole: 2, no: null },
  status: { phase: 'Completed', text: 'a<b>&c' },
});
/** One JSON Patch against the ConfigMap `a`. */
const patch = (name: string, body: unknown, more: object = {}): Case => ({
  name,
  given,
  ask: { send: `PATCH ${core}/configmaps/a`, type: 'json', body, ...more },
});
/** One JSON Patch against the Restore `r`. */
const onRestore = (name: string, body: unknown): Case => ({
  name,
  given: [r],
  ask: { send: `PATCH ${velero}/restores/r`, type: 'json', body },
});
const test = (path: string, value: unknown) => ({ op: 'test', path, value });
const add = (path: string, value: unknown) => ({ op: 'add', path, value });
/** The text of a patch as it is, where `JSON.stringify` would write another. */
const raw = (value: string, path = '/data/special'): string => `[{"op":"test","path":"${path}","value":${value}}]`;

export const jsonPatchScenes: readonly Scene[] = [
  {
    name: 'JSON Patch of a ConfigMap',
    cases: [
      patch('test: the same text', [test('/data/x', '1')]),
      patch('test: another text', [test('/data/x', '2')]),
      patch('test: a text with < and > as JavaScript writes it', [
        test('/metadata/annotations/restorehooks.io~1status', '{"id":"<from-annotation>"}'),
      ]),
      patch(
        'test: a text with < and > as Go writes it',
        '[{"op":"test","path":"/metadata/annotations/restorehooks.io~1status","value":"{\\"id\\":\\"\\u003cfrom-annotation\\u003e\\"}"}]',
      ),
      patch('test: a text of every kind as JavaScript writes it', [
        test('/data/special', given[0]?.['data'] && (given[0]['data'] as { special: string }).special),
      ]),
      patch(
        'test: a text of every kind as Go writes it',
        raw('"\\u003cfrom-annotation\\u003e \\u0026 \\"q\\" \\\\ \\u2028\\u2029 é 😀 \u007f \\t"'),
      ),
      patch(
        'test: the same with upper-case escapes',
        raw('"\\u003Cfrom-annotation\\u003E \\u0026 \\"q\\" \\\\ \\u2028\\u2029 é 😀 \u007f \\t"'),
      ),
      patch(
        'test: the same with é escaped',
        raw('"\\u003cfrom-annotation\\u003e \\u0026 \\"q\\" \\\\ \\u2028\\u2029 \\u00e9 😀 \u007f \\t"'),
      ),
      patch('test: a text written with an escape that is not needed', raw('"\\u0031"', '/data/x')),
      patch('test: a record in another order of keys', [
        test('/metadata/annotations', { n: '1', 'restorehooks.io/status': '{"id":"<from-annotation>"}' }),
      ]),
      patch('test: a record in another order of keys, without special characters', [
        test('/metadata/labels', { l: '1' }),
      ]),
      patch('test: a record with a key less', [test('/metadata/annotations', { n: '1' })]),
      patch('test: a long text', [test('/data/long', 'x'.repeat(3000))]),
      patch('test: an empty text', [test('/data/empty', '')]),
      patch('test: null for a missing key', [test('/data/no', null)]),
      patch('test: no value for a missing key', [{ op: 'test', path: '/data/no' }]),
      patch('test: a text for a missing key', [test('/data/no', '1')]),
      patch('test: no value for a key that is there', [{ op: 'test', path: '/data/x' }]),
      patch('test: null for a key that is there', [test('/data/x', null)]),
      patch('test: null below a missing parent', [test('/binaryData/no', null)]),
      patch('test: a number for a text', [test('/data/x', 1)]),
      patch('test: the whole document', [test('', {})]),
      patch('test: an own resourceVersion', [test('/metadata/resourceVersion', '$(a.metadata.resourceVersion)')]),
      patch('test: a stale resourceVersion', [test('/metadata/resourceVersion', '1')]),
      patch('replace a stale resourceVersion', [{ op: 'replace', path: '/metadata/resourceVersion', value: '1' }]),
      patch('replace the resourceVersion by its own', [
        { op: 'replace', path: '/metadata/resourceVersion', value: '$(a.metadata.resourceVersion)' },
        add('/data/x', '2'),
      ]),
      patch('remove the resourceVersion', [{ op: 'remove', path: '/metadata/resourceVersion' }, add('/data/x', '2')]),
      patch('add a key', [add('/data/y', '2')]),
      patch('add over a key', [add('/data/x', '2')]),
      patch('add without a value', [{ op: 'add', path: '/data/y' }]),
      patch('add null', [add('/data/y', null)]),
      patch('add below a missing parent', [add('/binaryData/y', 'eA==')]),
      patch('add a parent, then below it', [add('/binaryData', {}), add('/binaryData/y', 'eA==')]),
      patch('add a number to texts', [add('/data/y', 2)]),
      patch('add a record to texts', [add('/data/y', { a: '1' })]),
      patch('add below a text', [add('/data/x/y', '2')]),
      patch('add an annotation with / and ~ in its key', [add('/metadata/annotations/a.io~1b~0c', '1')]),
      patch('add an annotation with / in its key', [add('/metadata/annotations/a.io~1b', '1')]),
      patch('add an unknown field', [add('/unknown', '1')]),
      patch('add an unknown field, strictly', [add('/unknown', '1')], {
        send: `PATCH ${core}/configmaps/a?fieldValidation=Strict`,
      }),
      patch('add to a list that is not there by -', [add('/metadata/finalizers/-', 'a.io/b')]),
      patch('replace a key', [{ op: 'replace', path: '/data/x', value: '2' }]),
      patch('replace a missing key', [{ op: 'replace', path: '/data/no', value: '2' }]),
      patch('replace below a missing parent', [{ op: 'replace', path: '/binaryData/no', value: 'eA==' }]),
      patch('replace without a value', [{ op: 'replace', path: '/data/x' }]),
      patch('remove a key', [{ op: 'remove', path: '/data/x' }]),
      patch('remove a missing key', [{ op: 'remove', path: '/data/no' }]),
      patch('remove below a missing parent', [{ op: 'remove', path: '/binaryData/no' }]),
      patch('remove all data', [{ op: 'remove', path: '/data' }]),
      patch('copy a key', [{ op: 'copy', from: '/data/x', path: '/data/y' }]),
      patch('copy a missing key', [{ op: 'copy', from: '/data/no', path: '/data/y' }]),
      patch('copy from a missing parent', [{ op: 'copy', from: '/binaryData/no', path: '/data/y' }]),
      patch('copy to a missing parent', [{ op: 'copy', from: '/data/x', path: '/binaryData/y' }]),
      patch('copy without from', [{ op: 'copy', path: '/data/y' }]),
      patch('move a key', [{ op: 'move', from: '/data/x', path: '/data/y' }]),
      patch('move a missing key', [{ op: 'move', from: '/data/no', path: '/data/y' }]),
      patch('an operation that is none', [{ op: 'increase', path: '/data/x', value: '1' }]),
      patch('an operation without op', [{ path: '/data/x', value: '1' }]),
      patch('an operation without path', [{ op: 'add', value: '1' }]),
      patch('a path without a slash', [add('data', {})]),
      patch('a number as path', [{ op: 'add', path: 1, value: '1' }]),
      patch('an unknown key in an operation', [{ op: 'add', path: '/data/y', value: '1', why: 'x' }]),
      patch('an unknown key in an operation, strictly', [{ op: 'add', path: '/data/y', value: '1', why: 'x' }], {
        send: `PATCH ${core}/configmaps/a?fieldValidation=Strict`,
      }),
      patch('no operation', []),
      patch('a record instead of a list', { op: 'add' }),
      patch('garbage instead of a list', '[{"op"'),
      patch('nothing instead of a list', ''),
      patch('a text in the list', ['x']),
      patch('null in the list', [null]),
      patch('a failing test after a change leaves all', [add('/data/y', '2'), test('/data/x', '2')]),
      patch('the name changed', [{ op: 'replace', path: '/metadata/name', value: 'b' }]),
      patch('the namespace changed', [{ op: 'replace', path: '/metadata/namespace', value: 'b' }]),
      patch('the UID changed', [{ op: 'replace', path: '/metadata/uid', value: 'b' }]),
      patch('the kind changed', [{ op: 'replace', path: '/kind', value: 'ServiceAccount' }]),
      patch('creationTimestamp changed', [
        { op: 'replace', path: '/metadata/creationTimestamp', value: '2001-01-01T00:00:00Z' },
      ]),
      patch('creationTimestamp that is no time', [{ op: 'replace', path: '/metadata/creationTimestamp', value: 'x' }]),
      patch('a label that is none', [add('/metadata/labels/a', 'not valid!')]),
      {
        name: 'of what is not there',
        ask: { send: `PATCH ${core}/configmaps/no`, type: 'json', body: [test('/data/x', '1')] },
      },
    ],
  },
  {
    name: 'JSON Patch of a Restore',
    cases: [
      onRestore('test: a text of the status with <, > and &', [test('/status/text', 'a<b>&c')]),
      onRestore(
        'test: the same as Go writes it',
        '[{"op":"test","path":"/status/text","value":"a\\u003cb\\u003e\\u0026c"}]',
      ),
      onRestore('test, replace: status.phase without a subresource', [
        test('/status/phase', 'Completed'),
        { op: 'replace', path: '/status/phase', value: 'PartiallyFailed' },
      ]),
      onRestore('test: a whole number', [test('/spec/whole', 2)]),
      onRestore('test: a whole number as 2.0', '[{"op":"test","path":"/spec/whole","value":2.0}]'),
      onRestore('test: a fraction', [test('/spec/float', 1.5)]),
      onRestore('test: a fraction as 15e-1', '[{"op":"test","path":"/spec/float","value":15e-1}]'),
      onRestore('test: a list', [test('/spec/list', [1, 2, 3])]),
      onRestore('test: a list in another order', [test('/spec/list', [1, 3, 2])]),
      onRestore('test: a nested record', [test('/spec/nested', { b: [{ c: null }], a: 1 })]),
      onRestore(
        'test: a record with spaces',
        '[{"op":"test","path":"/spec/nested","value":{ "a" : 1 , "b":[{"c":null}]}}]',
      ),
      onRestore('test: null for null', [test('/spec/no', null)]),
      onRestore('test: an item', [test('/spec/list/1', 2)]),
      onRestore('test: item -1', [test('/spec/list/-1', 3)]),
      onRestore('test: item -4', [test('/spec/list/-4', 3)]),
      onRestore('test: an item beyond the end', [test('/spec/list/3', 3)]),
      onRestore('test: item -', [test('/spec/list/-', 3)]),
      onRestore('test: item 01', [test('/spec/list/01', 2)]),
      onRestore('test: item +1', [test('/spec/list/+1', 2)]),
      onRestore('test: an item of a name', [test('/spec/list/a', 2)]),
      onRestore('add item 0', [add('/spec/list/0', 0)]),
      onRestore('add item -', [add('/spec/list/-', 4)]),
      onRestore('add item -1', [add('/spec/list/-1', 4)]),
      onRestore('add item -2', [add('/spec/list/-2', 4)]),
      onRestore('add an item at the end', [add('/spec/list/3', 4)]),
      onRestore('add an item beyond the end', [add('/spec/list/4', 4)]),
      onRestore('replace item -1', [{ op: 'replace', path: '/spec/list/-1', value: 4 }]),
      onRestore('replace an item beyond the end', [{ op: 'replace', path: '/spec/list/3', value: 4 }]),
      onRestore('remove item -1', [{ op: 'remove', path: '/spec/list/-1' }]),
      onRestore('remove item -', [{ op: 'remove', path: '/spec/list/-' }]),
      onRestore('move an item', [{ op: 'move', from: '/spec/list/0', path: '/spec/list/2' }]),
      onRestore('copy a record', [{ op: 'copy', from: '/spec/nested', path: '/spec/again' }]),
      onRestore('a record changed after it was copied', [
        { op: 'copy', from: '/spec/nested', path: '/spec/again' },
        add('/spec/nested/a', 2),
      ]),
      onRestore('move a record into itself', [{ op: 'move', from: '/spec/nested', path: '/spec/nested/a' }]),
      onRestore('replace the whole document', [{ op: 'replace', path: '', value: {} }]),
      onRestore('remove the whole document', [{ op: 'remove', path: '' }]),
      onRestore('replace spec by a text', [{ op: 'replace', path: '/spec', value: 'x' }]),
      onRestore('add a field that the schema does not have', [add('/unknown', 1)]),
      onRestore('an annotation that is a number', [add('/metadata/annotations', { a: 1 })]),
      onRestore('a stale resourceVersion', [{ op: 'replace', path: '/metadata/resourceVersion', value: '1' }]),
      onRestore('resourceVersion removed', [{ op: 'remove', path: '/metadata/resourceVersion' }]),
      onRestore('the kind changed', [{ op: 'replace', path: '/kind', value: 'Backup' }]),
      {
        name: 'of its status, which is no subresource',
        given: [r],
        ask: { send: `PATCH ${velero}/restores/r/status`, type: 'json', body: [] },
      },
    ],
  },
  {
    name: 'JSON Patch of a pod',
    given: [pod('p', {}, { labels: { a: 'b' } })],
    cases: [
      {
        name: 'another image',
        ask: {
          send: `PATCH ${core}/pods/p`,
          type: 'json',
          body: [{ op: 'replace', path: '/spec/containers/0/image', value: 'testbed.local/busybox:2' }],
          compare: ['spec'],
        },
      },
      {
        name: 'the status by way of the pod',
        ask: {
          send: `PATCH ${core}/pods/p`,
          type: 'json',
          body: [{ op: 'replace', path: '/status/phase', value: 'Failed' }],
          compare: ['status'],
        },
      },
    ],
  },
];
