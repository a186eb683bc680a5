import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { VERSION } from '../../shared/core/version.ts';
import { IMAGE, isReal } from '../e2e/harness.ts';
import type { Typed } from '../snippets.ts';
import { makePrograms, ROOT, snippetsOf, typed } from '../snippets.ts';
import { testbed } from './bed.ts';

/*
 * docs/quick-start.md and docs/upgrading-velero.md, block by block, as a reader would type them. Only this is not the
 * reader's: programs and addresses that a machine without internet lacks.
 */
const BED = path.join(import.meta.dirname, 'testbed');
const CRDS = path.join(import.meta.dirname, 'velero-crds.yaml');
const PROGRAMS: Readonly<Record<string, string>> = {
  // A new cluster has no namespace velero and no Restores.
  kind: `case "$1 $2" in
    'create cluster') kubectl delete --ignore-not-found -f '${CRDS}' ;;
    'load image-archive') '${BED}' load "$3" ;;
    *) exit 2 ;;
  esac`,
  // The bed's containerd stands for the registry: the image has another name there.
  skopeo: `[ "$1 $2" = 'copy --all' ] && ctr --address "$(dirname "$KUBECONFIG")/containerd.sock" --namespace k8s.io \
    images tag --force docker.io/restorehooks/runner:v${VERSION} "\${4#docker://}"`,
  velero: `exec '${BED}' velero cli "$@"`,
};

const skip = !isReal && 'needs a cluster that it may empty: npm run test:cluster';
const BUSYBOX = 'busybox:1.37';
const CRD = /https:\/\/raw\.githubusercontent\.com\/\S+velero\.io_restores\.yaml/;

let folder: string;
/** The folder with the files of a release, as far as the page uses them. */
async function release(): Promise<void> {
  const bin = path.join(folder, 'unpacked/bin');
  await mkdir(bin, { recursive: true });
  await cp(path.join(ROOT, 'dist/kubectl-restorehooks'), path.join(bin, 'kubectl-restorehooks'));
  await symlink('kubectl-restorehooks', path.join(bin, 'kubectl_complete-restorehooks'));
  const archive = `kubectl-restorehooks-v${VERSION}-linux-amd64.tar.gz`;
  await bash(`tar -czf ${archive} -C unpacked bin && rm -r unpacked`);
  await cp(path.join(ROOT, 'dist/runner.oci.tar'), path.join(folder, `restorehooks-runner-v${VERSION}.oci.tar`));
}

const bash = (script: string): Promise<Typed> =>
  typed(script, { cwd: folder, programs: [path.join(folder, 'programs'), path.join(folder, 'local/bin')] });

/** Type the blocks of a section, and answer what all of them print. */
async function type(document: string, section: string): Promise<string> {
  const blocks = snippetsOf(document).filter((block) => block.section === section && block.info === 'sh');
  assert.ok(blocks.length > 0, `${document} has blocks under ${section}`);
  let printed = '';
  for (const { text, line } of blocks) {
    const script = text.replace('/usr/local', path.join(folder, 'local')).replaceAll(BUSYBOX, IMAGE).replace(CRD, CRDS);
    const { code, output } = await bash(script);
    assert.equal(code, 0, `${document}:${line}\n${text}\n${output}`);
    printed += output;
  }
  return printed;
}

describe('who follows the documents to the letter', { skip }, () => {
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'quick-start-'));
    await mkdir(path.join(folder, 'local'));
    await makePrograms(path.join(folder, 'programs'), PROGRAMS);
    await release();
  });
  after(async () => {
    const ended = await bash(`
      kubectl restorehooks setup --delete
      kubectl delete --ignore-not-found --wait=false namespace shop
      kubectl delete --ignore-not-found --force pod db-0 web-0
      ${BED} velero down
      kubectl apply -f ${CRDS}`);
    await rm(folder, { recursive: true });
    assert.equal(ended.code, 0, ended.output);
  });

  it('installs the plugin, and has a failed hook run again on a cluster without Velero', async () => {
    assert.match(await type('docs/quick-start.md', 'Install the plugin'), new RegExp(VERSION.replaceAll('.', '\\.')));
    const printed = await type('docs/quick-start.md', 'On a cluster of your own');
    const [applied = '', retried = ''] = printed.split(/^==> .*web-0.*$/m);
    assert.match(applied, /^2 hooks in 2 pods of 1 namespace$/m);
    assert.match(applied, /^CompletedWithFailures: 2\/2 done, 1 failed$/m);
    assert.match(retried, /can't open|No such file/);
    assert.match(retried, /^Completed: 2\/2 done$/m);
    const ended = await bash(`kubectl delete --force pod db-0 web-0
      kubectl delete restores.velero.io nightly -n velero
      kubectl restorehooks setup --delete`);
    assert.equal(ended.code, 0, ended.output);
  });

  it('restores with Velero, runs the hook that Velero leaves, and reports it', async () => {
    await testbed('velero', 'up');
    const printed = await type('docs/quick-start.md', 'With Velero');
    assert.match(printed, /^1 hook in 1 pod of 1 namespace$/m);
    assert.match(printed, /^Completed: 1\/1 done$/m);
    assert.match(printed, /registry\.example\.com\/runner:v/);
    const report = await readFile(path.join(folder, 'nightly.md'), 'utf8');
    assert.match(report, /1204 rows loaded|Completed/);
  });

  it('upgrades Velero’s resource definitions, and loses no run', async () => {
    const before = await type('docs/upgrading-velero.md', 'Before');
    assert.match(before, /^nightly +Completed$/m);
    await type('docs/upgrading-velero.md', 'The resource definitions');
    const printed = await type('docs/upgrading-velero.md', 'After');
    assert.match(printed, /nightly.*Completed/);
    assert.match(printed, /0 new, 0 changed, 0 gone/);
  });
});
