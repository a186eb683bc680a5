import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { defineCommand } from '../command-line/command.ts';
import type { Context } from '../process/context.ts';

/** kubectl looks for this program on the PATH to complete what stands behind `kubectl restorehooks`. */
const PROGRAM = 'kubectl_complete-restorehooks';

export const completion = defineCommand({
  args: {},
  positionals: {},
  examples: [['completion', 'see what makes TAB complete restorehooks, and what is missing']],
  details: `kubectl completes its plugins itself, in bash, zsh and fish, and asks ${PROGRAM} what could come next.`,
  docs: 'docs/install.md',

  async run(_, context) {
    return { view: { kind: 'text', text: `${[...installed(context), '', ...SHELLS].join('\n')}\n` } };
  },
});

/** Whether kubectl finds the program, or the command that makes it (R7.62). */
function installed({ env }: Context): string[] {
  const found = (env['PATH'] ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, PROGRAM))
    .find(isExecutable);
  if (found !== undefined) return [`kubectl asks ${found} to complete restorehooks.`];
  const plugin = path.resolve(process.argv[1] ?? 'kubectl-restorehooks');
  return [
    `kubectl asks ${PROGRAM} to complete restorehooks, and it isn't on your PATH. Make it a second name of the plugin:`,
    `  ln -s ${quoted(plugin)} ${quoted(path.join(path.dirname(plugin), PROGRAM))}`,
  ];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const quoted = (word: string): string => (/^[\w./@:+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

const SHELLS = [
  "kubectl's own completion must be loaded, in the file that your shell reads at its start:",
  '  bash   source <(kubectl completion bash)      ~/.bashrc; needs the package bash-completion',
  '  zsh    source <(kubectl completion zsh)       ~/.zshrc, behind compinit',
  '  fish   kubectl completion fish | source       ~/.config/fish/config.fish',
];
