import { kubeArgs, outputArg } from '../command-line/args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { withCluster } from '../command-line/session.ts';
import { changeView, listView } from '../output/list-view.ts';
import { printView } from '../output/render.ts';
import type { View } from '../output/view.ts';
import { isOutputFormat } from '../output/view.ts';
import { hasRun, listRestores, watchRestores } from '../run/list-restores.ts';

/** Lists Restores with their last runs (R7.55). */
export const list = defineCommand({
  args: {
    'all-namespaces': { type: 'boolean', short: 'A', description: 'The Restores of all namespaces' },
    all: { type: 'boolean', description: 'Also Restores that have had no run' },
    selector: { type: 'string', short: 'l', value: 'SELECTOR', description: 'Only Restores with these labels' },
    watch: { type: 'boolean', short: 'w', description: 'After the list, print each change until interrupted' },
    ...outputArg(['json', 'yaml', 'wide', 'name']),
    ...kubeArgs,
  },
  positionals: {},
  examples: [
    ['list', 'the Restores that have had a run, the newest first'],
    ['list --all -o wide', 'also those without a run, with their own phase'],
    ['list -A -w', 'of all namespaces, and each change as it happens'],
    ['list -l team=shop -o json', 'for a script: a document for each run, without its hooks'],
  ],
  details:
    'Reads the annotations of Restores, and needs no right but to list them. A run whose runner has died is shown as it ' +
    'was last written down: status finds that out.',
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/results.md',

  run: ({ allNamespaces, all, selector, watch, output, ...args }, context) =>
    withCluster(args, context, async ({ client, namespace }): Promise<CommandResult> => {
      const query = { namespace: allNamespaces ? undefined : namespace, selector };
      const where = allNamespaces ? 'any namespace' : `namespace ${namespace}`;
      const found = await listRestores(client, query);
      const isShown = all ? () => true : hasRun;
      const shown = found.items.filter(isShown);
      if (shown.length === 0) {
        const others = found.items.length === 0 ? '' : ` (${found.items.length} without a run: --all shows them)`;
        context.stderr.write(`no Restore with a run in ${where}${others}\n`);
      }
      const options = () => ({ now: context.clock.now(), withNamespace: allNamespaces });
      if (!watch) return { view: listView(shown, options()) };
      const format = isOutputFormat(output) ? output : 'table';
      const tell = async (view: View): Promise<void> => {
        if (format === 'yaml') context.stdout.write('---\n');
        await printView(view, format, context);
      };
      if (format === 'json' || format === 'yaml') {
        for (const item of shown) await tell(changeView(item, [], options()));
      } else if (shown.length > 0) await tell(listView(shown, options()));
      await watchRestores(client, query, found, context, async (item) => {
        if (!isShown(item)) return;
        await tell(changeView(item, shown, options()));
        shown.push(item);
      });
      return {};
    }),
});
