// Builds all that `npm run build` does, and dist/chaos-runner.cjs: the runner with failpoints in two modules.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runnerFile } from '../../build.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const REPLACED = [
  ['runner/main.ts', 'kubernetes/api/client.ts', at('failing-client.ts')],
  ['shared/wiring/carry-out.ts', 'kubernetes/exec/exec.ts', at('failing-exec.ts')],
];

const failpoints = {
  name: 'failpoints',
  setup({ onResolve }) {
    onResolve({ filter: /^\.+\/.*\.ts$/ }, ({ path, importer }) => {
      const found = REPLACED.find(([user, used]) => importer.endsWith(`/${user}`) && path.endsWith(`/${used}`));
      return found && { path: found[2] };
    });
  },
};

writeFileSync('dist/chaos-runner.cjs', await runnerFile('test/chaos/runner.ts', [failpoints]));
