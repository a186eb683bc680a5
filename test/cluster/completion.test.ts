import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { load } from 'js-yaml';
import type { Loose, Scene, Suite } from '../e2e/harness.ts';
import { hookAnnotations, isReal, mark, noHurry, OWN, startSuite } from '../e2e/harness.ts';
import type { Terminal } from '../terminal/tmux.ts';
import { openTerminal } from '../terminal/tmux.ts';

/** TAB, as users press it: the real kubectl with its own completion scripts, in bash, zsh and fish (R7.60). */

const skip = !isReal && 'needs the real kubectl: npm run test:cluster';
const DIST = join(import.meta.dirname, '../../dist');
const PATH = [DIST, process.env['PATH']].join(delimiter);
const COLON = 'arn:aws:eks:eu-west-1:1:cluster/prod';
const PROMPT = 'type: ';

/** How a shell is started with kubectl's completion, and the file that it reads then. */
const SHELLS = {
  bash: (folder: string) => ({
    file: 'bashrc',
    text: `. /usr/share/bash-completion/bash_completion\nsource <(kubectl completion bash)\nPS1='${PROMPT}'\n`,
    command: ['bash', '--rcfile', join(folder, 'bashrc'), '-i'],
  }),
  zsh: () => ({
    file: '.zshrc',
    text: `autoload -U compinit\ncompinit -u -D\nsource <(kubectl completion zsh)\nPS1='${PROMPT}'\n`,
    command: ['zsh', '-i'],
  }),
  fish: (folder: string) => ({
    file: 'config.fish',
    text: `kubectl completion fish | source\nfunction fish_prompt; echo -n '${PROMPT}'; end\nset -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n`,
    command: ['fish', '--init-command', `source ${join(folder, 'config.fish')}`],
  }),
};

const TYPED = `${PROMPT}kubectl restorehooks `;

async function completes(terminal: Terminal, typed: string, whole: string): Promise<void> {
  await terminal.press('C-u', 'C-l');
  await terminal.until('an empty line', (lines) => lines.filter((line) => line !== '').join() === PROMPT.trim());
  await terminal.type(`kubectl restorehooks ${typed}`);
  await terminal.press('Tab');
  await terminal.until(`${typed} to become ${whole}`, (lines) => lines.includes(`${TYPED}${whole}`));
}

describe('completion by kubectl', { skip }, () => {
  let e2e: Suite;
  let scene: Scene;
  let env: Readonly<Record<string, string>>;
  before(async () => {
    e2e = await startSuite();
    scene = await e2e.scene('tab');
    await scene.pod('db-0', { annotations: hookAnnotations(OWN, mark('a')) });
    await scene.restore();
    const config = load(await readFile(e2e.cluster.kubeconfig, 'utf8')) as Loose;
    const [{ context }] = config.contexts;
    config.contexts.push({ name: COLON, context }, { name: 'two words', context });
    const KUBECONFIG = join(e2e.cluster.folder, 'config');
    await writeFile(KUBECONFIG, JSON.stringify(config));
    await mkdir(join(e2e.cluster.folder, 'home'));
    await writeFile(join(e2e.cluster.folder, 'home/saved-plan.json'), '{}');
    env = {
      PATH,
      KUBECONFIG,
      HOME: join(e2e.cluster.folder, 'home'),
      VELERO_NAMESPACE: e2e.velero,
      ...noHurry(60_000),
    };
  });
  after(() => e2e?.close());

  /** What kubectl answers its script. */
  async function asked(...words: string[]): Promise<string[]> {
    const { stdout } = await promisify(execFile)('kubectl', ['__complete', 'restorehooks', ...words], { env });
    return stdout.trimEnd().split('\n');
  }

  it("is what kubectl's __complete is told", async () => {
    assert.deepEqual(await asked('stat'), ["status\tShow how far a Restore's run has come, hook by hook", ':4']);
    assert.deepEqual(await asked('apply', ''), [scene.name, ':4']);
    const pod = `${scene.namespace}/db-0`;
    assert.deepEqual(await asked('apply', scene.name, '--only', ''), [pod, `${pod}/main/<from-annotation>/0`, ':4']);
    assert.deepEqual(await asked('apply', scene.name, `--only=${pod}/`), [`${pod}/main/<from-annotation>/0`, ':4']);
    assert.deepEqual(await asked('plan', '-n', e2e.velero), [e2e.velero, ':4']);
    assert.deepEqual(await asked('status', '--context', 'arn'), [COLON, ':4']);
    assert.deepEqual(await asked('plan', '-f', ''), ['yaml', 'yml', 'json', ':8']);
    assert.deepEqual(await asked('apply', '--runner='), ['job', 'local', ':4']);
    assert.ok((await asked('apply', '-')).some((line) => line.startsWith('--only\t')));
  });

  for (const [shell, start] of Object.entries(SHELLS)) {
    it(`works in ${shell}`, async () => {
      const folder = join(e2e.cluster.folder, shell);
      await mkdir(folder);
      const { file, text, command } = start(folder);
      await writeFile(join(folder, file), text);
      const terminal = await openTerminal({
        columns: 200,
        rows: 30,
        cwd: env['HOME'] as string,
        env: { ...env, ZDOTDIR: folder },
        command,
      });
      try {
        await terminal.until('the prompt', (lines) => lines.includes(PROMPT.trim()));
        const own = ` --only ${scene.namespace}/db-0`;
        for (const [typed, whole] of [
          ['stat', 'status'],
          [`apply ${scene.name.slice(0, -1)}`, `apply ${scene.name}`],
          [`apply restore/${scene.name.slice(0, -1)}`, `apply restore/${scene.name}`],
          ['apply --keep-r', 'apply --keep-restore-phase'],
          ['apply --runner l', 'apply --runner local'],
          ['apply --runner=l', 'apply --runner=local'],
          [`status --context arn:aws:e`, `status --context ${COLON}`],
          [`status --context=arn:aws:e`, `status --context=${COLON}`],
          ['status --context two', 'status --context two\\ words'],
          shell === 'fish'
            ? [`apply ${scene.name}${own.slice(0, -1)}`, `apply ${scene.name}${own}`]
            : [`apply ${scene.name}${own}/`, `apply ${scene.name}${own}/main/\\<from-annotation\\>/0`],
          [`apply --namespace=${e2e.velero.slice(0, -1)}`, `apply --namespace=${e2e.velero}`],
          ['apply -f sav', 'apply -f saved-plan.json'],
          ['apply --record=sav', 'apply --record=saved-plan.json'],
        ] as const) {
          await completes(terminal, typed, whole);
        }
        await terminal.press('C-u', 'C-l');
        await terminal.type('kubectl restorehooks apply --runner ');
        await terminal.press('Tab', 'Tab');
        await terminal.until('both choices', (lines) => lines.some((line) => /\bjob\s+local\b/.test(line)));
      } finally {
        await terminal.close();
      }
    });
  }
});
